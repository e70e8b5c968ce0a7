package cli

import (
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
)

// Whatever poses as a sidecar sends, reading it ends.
func FuzzEvents(f *testing.F) {
	f.Add("id: 1\nevent: checkpoint.copied\ndata: {\"seq\":1,\"kind\":\"checkpoint.copied\"}\n\n:\nid: 2\n\n")
	f.Add("data: {\ndata: }\n\nevent: events.lost\ndata: x\n\n")
	f.Add("id\n\n\r\n: \x00\ndata\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		printed := 0
		r := &eventReader{print: func(checkpoint.Event, []byte) error { printed++; return nil }, warn: func(string, ...any) {}}
		if err := r.events(strings.NewReader(text), func() {}); err == nil {
			t.Error("a stream never ends well")
		}
		if printed > strings.Count(text, "\n\n")+strings.Count(text, "\n\r\n") {
			t.Errorf("%d events in %q", printed, text)
		}
	})
}
