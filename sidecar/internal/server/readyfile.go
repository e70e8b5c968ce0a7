package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Bound is where a sidecar listens: the content of the ready file. A Unix socket is unix:/path; what is switched off is
// left out.
type Bound struct {
	HTTP  string `json:"http"`
	GRPC  string `json:"grpc,omitempty"`
	Admin string `json:"admin,omitempty"`
	PID   int    `json:"pid"`
}

// writeReady publishes the file as a whole: whoever waits for it never reads half of it.
func writeReady(path string, b Bound) (err error) {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("ready file %s: %w", path, err)
		}
	}()
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// removeReady takes the file back; that of a crashed run is gone before this one is ready.
func removeReady(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}
