package telemetry

import (
	"io"
	"log/slog"
)

// NewLog returns the log of the sidecar. Level is debug, info, warn or error; format is json, for machines, or text, for
// people. Payloads are never logged; a call is known by its decision_id and trace_id.
func NewLog(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return slog.New(slog.NewJSONHandler(w, options)), nil
}
