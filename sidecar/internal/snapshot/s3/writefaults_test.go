package s3_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	. "github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

// A write whose answer was lost is sent again, and is then in its own way.
func TestWriteAnswerLost(t *testing.T) {
	server := StartS3(t)
	for name, c := range map[string]struct {
		size int
		lose Script
	}{
		"one put":  {1000, First(1, http.MethodPut, Lose)},
		"in parts": {17 << 20, First(2, http.MethodPost, Lose)}, // of initiating, and of that again
		"completing": {17 << 20, func() Script {
			lose := First(1, http.MethodPost, Lose)
			return func(n int, r *http.Request) Fault {
				if r.URL.Query().Has("uploadId") {
					return lose(n, r)
				}
				return nil
			}
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := faulty(t, server, c.lose, nil)
			data := Bytes(c.size, 3)
			o := Put(t, s, "new", data)
			got, err := Read(t.Context(), s, "new", snapshot.Part{Length: snapshot.AllBytes, ETag: o.ETag})
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	t.Run("replace", func(t *testing.T) {
		s, _, _ := faulty(t, server, First(1, http.MethodPut, Lose), nil)
		o, err := s.Stat(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		if o, err = s.Replace(t.Context(), "k", []byte("mine"), o.ETag); err != nil {
			t.Fatal(err)
		}
		if now, err := s.Stat(t.Context(), "k"); err != nil || now.ETag != o.ETag {
			t.Errorf("stat answers %+v, %v; replace %+v", now, err, o)
		}
	})
}

// The same when somebody else was first: with the same bytes, even.
func TestWriteAnswerLostAndRefused(t *testing.T) {
	server := StartS3(t)
	s, _, data := faulty(t, server, First(1, http.MethodPut, Lose), nil)
	if _, err := s.Create(t.Context(), "k", bytes.NewReader(data), int64(len(data))); !errors.Is(err, snapshot.ErrExists) {
		t.Errorf("got %v", err)
	}
}

// If no answer to a write comes at all, the error says that nobody knows.
func TestWriteUnsure(t *testing.T) {
	server := StartS3(t)
	for name, c := range map[string]struct {
		fault  Fault
		unsure bool
	}{
		"answers lost":   {Lose, true},
		"internal error": {Refuse(http.StatusInternalServerError, "InternalError"), true},
		"slow down":      {Refuse(http.StatusServiceUnavailable, "SlowDown"), false},
		"conflict":       {Refuse(http.StatusConflict, "ConditionalRequestConflict"), false},
		"denied":         {Refuse(http.StatusForbidden, "AccessDenied"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := faulty(t, server, Always(c.fault), func(c *s3.Config) { c.Attempts = 2 })
			_, err := s.Create(t.Context(), "new", strings.NewReader("x"), 1)
			if err == nil || snapshot.Unsure(err) != c.unsure {
				t.Errorf("got %v, unsure: %v", err, snapshot.Unsure(err))
			}
		})
	}
}

// A large upload that fails leaves no parts on the server.
func TestUploadIsAborted(t *testing.T) {
	server := StartS3(t)
	s, p, _ := faulty(t, server, func(_ int, r *http.Request) Fault {
		if r.URL.Query().Get("partNumber") == "2" {
			return Refuse(http.StatusForbidden, "AccessDenied")
		}
		return nil
	}, nil)
	_, err := s.Create(t.Context(), "new", bytes.NewReader(Bytes(40<<20, 4)), 40<<20)
	if !errors.Is(err, snapshot.ErrDenied) {
		t.Errorf("got %v", err)
	}
	requests := p.Requests()
	if last := requests[len(requests)-1]; last.Method != http.MethodDelete || !last.URL.Query().Has("uploadId") {
		t.Errorf("the last request is %s %s", last.Method, last.URL)
	}
}
