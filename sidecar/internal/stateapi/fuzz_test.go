package stateapi

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
)

// FuzzDocuments: whatever is sent, the answer is one of those that are documented, and nothing is left hanging.
func FuzzDocuments(f *testing.F) {
	f.Add(`{"job":"j","operator":"op","subtask":0,"max_parallelism":128,"key_groups":[0,127],"restored":true}`, "1", "0s")
	f.Add(`{"references":[{"key":"../x","sha256":"","bytes":-1}]}`, "0", "-1s")
	f.Add(`{"epoch":18446744073709551615,"in_flight":[{"id":"","key_group":65535}],"full":true}`, "18446744073709551615", "")
	f.Add(`{"epoch":1,"in_flight":null}`, "1", "1e9h")
	sessions, err := session.New(session.DefaultConfig(), memory.New(), slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := sessions.Shutdown(); err != nil {
			f.Error(err)
		}
	})
	a := New(sessions)
	f.Fuzz(func(t *testing.T, body, epoch, wait string) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		opened, err := a.Open(ctx, []byte(`{"job":"j","operator":"f","subtask":0,"max_parallelism":128,"key_groups":[0,127],"restored":false}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Open(ctx, []byte(body))
		errs := []error{err, a.Restore(ctx, opened.Session, []byte(body)), a.Mark(ctx, opened.Session, []byte(body)), a.Mark(ctx, body, nil)}
		_, _, err = a.Durable(ctx, opened.Session, epoch, "0s")
		errs = append(errs, err, a.Abort(ctx, opened.Session, epoch), a.Close(ctx, body), a.Close(ctx, opened.Session))
		if _, bad := time.ParseDuration(wait); bad != nil {
			_, _, err = a.Durable(ctx, opened.Session, "1", wait)
			errs = append(errs, err)
		}
		for _, err := range errs {
			var p *problem.Error
			if err != nil && (!errors.As(err, &p) || p.Code.HTTP() == 0) {
				t.Errorf("an error that nobody knows: %v", err)
			}
		}
	})
}
