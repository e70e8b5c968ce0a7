package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/cli"
)

const job = "14ab15ac1452e671ba95b9cfcafa7c47"

// output is what a command has written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 1000)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.more <- struct{}{}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) await(t *testing.T, text string) {
	t.Helper()
	for limit := time.After(time.Minute); !strings.Contains(o.String(), text); {
		select {
		case <-o.more:
		case <-limit:
			t.Fatalf("%q does not come; so far %q", text, o)
		}
	}
}

// sidecar answers GET /v1/events by script: one answer a connection, the last one for all that follow.
type sidecar struct {
	url     string
	mu      sync.Mutex
	answers []http.HandlerFunc
	asked   []string
}

func newSidecar(t *testing.T, answers ...http.HandlerFunc) *sidecar {
	s := &sidecar{answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sidecar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.RequestURI())
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.mu.Unlock()
	answer(w, r)
}

func event(seq int, kind string) string {
	return fmt.Sprintf("id: %d\nevent: %s\ndata: {\"seq\":%[1]d,\"time\":\"2026-11-23T12:00:00Z\",\"kind\":%[2]q,\"job\":%[3]q,\"checkpoint_id\":%[1]d,\"path\":\"s3://flink/%[1]d\"}\n\n", seq, kind, job)
}

// stream sends this and then ends, or stays open if hold is set.
func stream(hold bool, text ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, part := range text {
			_, _ = w.Write([]byte(part))
		}
		_ = http.NewResponseController(w).Flush()
		if hold {
			<-r.Context().Done()
		}
	}
}

func refuse(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func dropped(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestCheckpointsWatchGoesOnWhereItWas(t *testing.T) {
	s := newSidecar(t,
		stream(false, ": hello\nretry: 1000\n\nid: 3\n\n"),                                                              // no event yet, and a number to come back with
		stream(false, event(4, "checkpoint.completed"), event(5, "checkpoint.copied"), "id: 6\nevent: checkpoint.comp"), // cut in the middle
		dropped,
		refuse(503, `{"code":"draining","retryable":true,"detail":"ask again"}`),
		refuse(502, `<html>bad gateway</html>`),
		stream(false, ":\nid: 9\n\n"), // a heartbeat
		stream(true, "event: events.lost\ndata: {\"after\":9,\"oldest\":12}\n\n", event(12, "checkpoint.failed")),
	)
	stdout, stderr := newOutput(), newOutput()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(ctx, []string{"checkpoints", "watch", "--server", s.url, "--job", job, "-o", "json"}, strings.NewReader(""), stdout, stderr)
	}()
	stdout.await(t, `"seq":12`)
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d; Ctrl-C is how one ends it", got)
	}
	var kinds []string
	for line := range strings.Lines(stdout.String()) {
		kinds = append(kinds, line[strings.Index(line, `"kind"`):strings.Index(line, `,"job"`)])
	}
	if diff := cmp.Diff([]string{`"kind":"checkpoint.completed"`, `"kind":"checkpoint.copied"`, `"kind":"checkpoint.failed"`}, kinds); diff != "" {
		t.Errorf("events -want +got:\n%s", diff)
	}
	base := "/v1/events?"
	want := []string{
		base + "job=" + job, base + "after=3&job=" + job, base + "after=5&job=" + job, base + "after=5&job=" + job, base + "after=5&job=" + job,
		base + "after=5&job=" + job, base + "after=9&job=" + job,
	}
	// Go's client may ask again by itself when a connection is closed without an answer.
	if diff := cmp.Diff(want, slices.Clip(s.asked)); diff != "" {
		t.Errorf("asked -want +got:\n%s", diff)
	}
	if got := stderr.String(); !strings.Contains(got, "events are lost") || !strings.Contains(got, "connection lost") {
		t.Errorf("stderr %q", got)
	}
}

func TestCheckpointsWatchTable(t *testing.T) {
	s := newSidecar(t, stream(true, event(4, "checkpoint.copied")))
	stdout := newOutput()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(ctx, []string{"checkpoints", "watch", "--server", s.url, "--after", "0"}, strings.NewReader(""), stdout, newOutput())
	}()
	stdout.await(t, "checkpoint.copied      "+job+"  4  s3://flink/4\n")
	cancel()
	<-code
	if diff := cmp.Diff([]string{"/v1/events?after=0"}, s.asked); diff != "" {
		t.Errorf("asked -want +got:\n%s", diff)
	}
}

// What a new connection would not change ends the command, with what to do about it.
func TestCheckpointsWatchRefused(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		args   []string
		code   int
		says   string
	}{
		"it watches nothing":     {answer: refuse(404, `{"code":"not_found","detail":"set watch.flink"}`), code: 1, says: "set watch.flink"},
		"no sidecar":             {answer: refuse(404, "404 page not found"), code: 1, says: "404"},
		"not a stream":           {answer: refuse(200, "<html>"), code: 1, says: "is http://"},
		"garbage":                {answer: stream(true, "data: {\n\n"), code: 1, says: "cannot be read"},
		"a line without end":     {answer: stream(true, "data: "+strings.Repeat("x", 2<<20)), code: 1, says: "more than 1048576 bytes"},
		"an event without end":   {answer: stream(true, strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", 2000)), code: 1, says: "more than 1048576 bytes"},
		"nobody answers":         {args: []string{"--server", away.URL}, code: 1, says: "is the sidecar running?"},
		"a job that is none":     {args: []string{"--job", "fraud"}, code: 2, says: "32 hex digits"},
		"a number that is none":  {args: []string{"--after", "x"}, code: 2, says: "--after"},
		"an output that is none": {args: []string{"-o", "yaml"}, code: 2, says: "must be table or json"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"checkpoints", "watch"}, c.args...)
			if c.answer != nil {
				args = append(args, "--server", newSidecar(t, c.answer).url)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			stderr := newOutput()
			if code := cli.Run(ctx, args, strings.NewReader(""), newOutput(), stderr); code != c.code || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}
