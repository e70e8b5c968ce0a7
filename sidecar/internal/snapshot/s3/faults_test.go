package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	. "github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

// faulty returns a store behind a proxy; the object "k" with 1 MB is in it, and the script sees the requests after that.
func faulty(t *testing.T, server *S3, script Script, change func(*s3.Config)) (*s3.Store, *Proxy, []byte) {
	t.Helper()
	name := BucketName(t.Name())
	data := Bytes(1_000_000, 1)
	Put(t, server.Bucket(t, name), "k", data)
	p := StartProxy(t, server, script)
	config := p.Config()
	if change != nil {
		change(&config)
	}
	return Bucket(t, config, name), p, data
}

// What passes by itself is not seen by the caller.
func TestRecovers(t *testing.T) {
	server := StartS3(t)
	for name, fault := range map[string]Fault{
		"slow down":           Refuse(http.StatusServiceUnavailable, "SlowDown"),
		"internal error":      Refuse(http.StatusInternalServerError, "InternalError"),
		"a proxy's error":     Refuse(http.StatusBadGateway, "x"),
		"reset at once":       Reset(0),
		"reset in mid-object": Reset(400_000),
		"reset near the end":  Reset(999_999),
		"answer lost":         Lose,
		"stall":               Stall(300_000),
		"stall at once":       Stall(0),
	} {
		t.Run(name, func(t *testing.T) {
			s, p, data := faulty(t, server, First(2, http.MethodGet, fault), func(c *s3.Config) { c.StallTimeout = 400 * time.Millisecond })
			for _, part := range []snapshot.Part{snapshot.Whole(), {Offset: 100, Length: 900_000}} {
				got, err := Read(t.Context(), s, "k", part)
				if err != nil {
					t.Fatal(err)
				}
				length, err := part.Within(int64(len(data)))
				if err != nil || !bytes.Equal(got, data[part.Offset:part.Offset+length]) {
					t.Error("other bytes")
				}
			}
			if n := len(p.Requests()); n < 3 || n > 4 {
				t.Errorf("%d requests, want up to 2 that fail and 2 that do not", n)
			}
		})
	}
}

// A download that broke off goes on where it was.
func TestResumesByOffset(t *testing.T) {
	server := StartS3(t)
	s, p, data := faulty(t, server, First(3, http.MethodGet, Cut(250_000)), nil)
	got, err := Read(t.Context(), s, "k", snapshot.Whole())
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if sent := p.Sent(); sent != int64(len(data)) {
		t.Errorf("%d bytes were sent for an object of %d", sent, len(data))
	}
	for _, r := range p.Requests()[1:] {
		if r.Header.Get("Range") == "" || r.Header.Get("If-Match") == "" {
			t.Errorf("the download goes on with Range %q, If-Match %q", r.Header.Get("Range"), r.Header.Get("If-Match"))
		}
	}
}

// What does not pass is told as what it is, in the end.
func TestGivesUp(t *testing.T) {
	server := StartS3(t)
	for name, c := range map[string]struct {
		fault     Fault
		kind      error
		retryable bool
		hint      string
	}{
		"slow down":       {Refuse(http.StatusServiceUnavailable, "SlowDown"), snapshot.ErrUnavailable, true, "overloaded"},
		"reset":           {Reset(0), snapshot.ErrUnavailable, true, "reached"},
		"stall":           {Stall(0), snapshot.ErrUnavailable, true, "reached"},
		"lost":            {Lose, snapshot.ErrUnavailable, true, "reached"},
		"truncated":       {Truncate(500_000), snapshot.ErrCorrupt, false, "damaged"},
		"corrupt":         {Corrupt(500_000), snapshot.ErrCorrupt, false, "damaged"},
		"denied":          {Refuse(http.StatusForbidden, "AccessDenied"), snapshot.ErrDenied, false, "s3:GetObject"},
		"expired":         {Refuse(http.StatusBadRequest, "ExpiredToken"), snapshot.ErrDenied, false, "expired"},
		"wrong time":      {Refuse(http.StatusForbidden, "RequestTimeTooSkewed"), snapshot.ErrDenied, false, "clock"},
		"archived":        {Refuse(http.StatusForbidden, "InvalidObjectState"), snapshot.ErrDenied, false, "restore it"},
		"other region":    {Redirect(http.StatusMovedPermanently, "http://127.0.0.1:1/"), snapshot.ErrNoStore, false, "us-west-2"},
		"redirect":        {Redirect(http.StatusTemporaryRedirect, "http://127.0.0.1:1/"), snapshot.ErrNoStore, false, "region"},
		"404 of a proxy":  {Refuse(http.StatusNotFound, "PageNotFound"), snapshot.ErrNoStore, false, "endpoint"},
		"unknown user":    {Refuse(http.StatusNotFound, "XAdminUserNotFound"), snapshot.ErrDenied, false, "access key"},
		"bucket gone":     {Refuse(http.StatusNotFound, "NoSuchBucket"), snapshot.ErrNoStore, false, "bucket"},
		"object gone":     {Refuse(http.StatusNotFound, "NoSuchKey"), snapshot.ErrNotFound, false, ""},
		"object replaced": {Refuse(http.StatusPreconditionFailed, "PreconditionFailed"), snapshot.ErrChanged, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, _ := faulty(t, server, Always(c.fault), func(c *s3.Config) { c.StallTimeout, c.Attempts = 50*time.Millisecond, 2 })
			_, err := Read(t.Context(), s, "k", snapshot.Whole())
			var e *snapshot.Error
			if !errors.As(err, &e) || !errors.Is(err, c.kind) || e.Retryable != c.retryable || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("got %#v: %v", e, err)
			} else if !strings.Contains(err.Error(), "s3://"+BucketName(t.Name())+"/k") {
				t.Errorf("%v does not name the object", err)
			}
			if n := len(p.Requests()); n > 6 {
				t.Errorf("%d requests", n)
			}
			// HEAD has no body that would tell the reasons apart.
			if errors.Is(c.kind, snapshot.ErrNotFound) || errors.Is(c.kind, snapshot.ErrNoStore) || errors.Is(c.kind, snapshot.ErrDenied) {
				if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, c.kind) {
					t.Errorf("stat: got %v, want %v", err, c.kind)
				}
			}
		})
	}
}

// An object that is replaced by another of the same size while it is read, just when the connection breaks.
func TestReplacedWhileRead(t *testing.T) {
	server := StartS3(t)
	s, _, data := faulty(t, server, First(1, http.MethodGet, Cut(500_000)), nil)
	r, o, err := s.Open(t.Context(), "k", snapshot.Whole())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // only read
	if _, err := s.Replace(t.Context(), "k", Bytes(len(data), 2), o.ETag); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, snapshot.ErrChanged) {
		t.Errorf("got %v", err)
	}
}

// The end of the caller's context ends a download at once, also one that stalls.
func TestCancelled(t *testing.T) {
	server := StartS3(t)
	s, _, _ := faulty(t, server, Always(Stall(1000)), nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	r, _, err := s.Open(ctx, "k", snapshot.Whole())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // only read
	if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
		t.Fatal(err)
	}
	why := errors.New("the lease was lost")
	go cancel(why)
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, why) || snapshot.Retryable(err) {
		t.Errorf("got %v", err)
	}
}

// A server that is away and comes back, as a client sees it that goes on asking.
func TestServerAway(t *testing.T) {
	server := StartS3(t)
	s := server.Bucket(t, "bucket")
	Put(t, s, "k", []byte("x"))
	server.Stop()
	for range 3 {
		_, err := Read(t.Context(), s, "k", snapshot.Whole())
		if !errors.Is(err, snapshot.ErrUnavailable) || !snapshot.Retryable(err) {
			t.Errorf("got %v", err)
		}
	}
	_, err := s.Create(t.Context(), "new", strings.NewReader("x"), 1)
	if !errors.Is(err, snapshot.ErrUnavailable) || snapshot.Unsure(err) {
		t.Errorf("got %v, unsure: %v; nothing was sent", err, snapshot.Unsure(err))
	}
	server.Start()
	if got, err := Read(t.Context(), s, "k", snapshot.Whole()); err != nil || string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}
