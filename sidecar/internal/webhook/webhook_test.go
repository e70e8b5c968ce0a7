package webhook

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver answers with one status after another, and keeps what it was sent.
type receiver struct {
	mu       sync.Mutex
	statuses []int
	got      []string
	came     chan struct{}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusNoContent
	if len(r.statuses) > 0 {
		status, r.statuses = r.statuses[0], r.statuses[1:]
	}
	signature := request.Header.Get("X-Drey-Signature")
	if signature != "" && signature != Sign("s3cret", request.Header.Get("X-Drey-Timestamp"), body) {
		status = http.StatusUnauthorized
	}
	r.got = append(r.got, request.Header.Get("X-Drey-Event")+" "+string(body)+" "+http.StatusText(status))
	if status == http.StatusFound {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(status)
	r.came <- struct{}{}
}

func run(t *testing.T, c Config) *Sender {
	t.Helper()
	s := New(c, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return s
}

func TestDeliversUntilTaken(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &receiver{statuses: []int{503, 500, 429, 204, 404, 302}, came: make(chan struct{}, 100)}
	server := httptest.NewServer(r)
	defer server.Close()
	s := run(t, Config{URLs: []string{server.URL}, SecretFile: secret, Attempts: 5, FirstWait: time.Millisecond, Queue: 10})
	done := make(chan struct{}, 4)
	for _, id := range []string{"a", "b", "c", "d"} {
		s.Send(id, []byte("{}"), func() {
			if id == "c" {
				t.Error("c is done")
			}
			done <- struct{}{}
		})
	}
	// a is taken at the fourth try; b is refused for good, c would lead elsewhere and so is not done, d is taken.
	for range 7 {
		<-r.came
	}
	for range 3 {
		<-done
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	want := "a {} Service Unavailable,a {} Internal Server Error,a {} Too Many Requests,a {} No Content,b {} Not Found,c {} Found,d {} No Content"
	if got := strings.Join(r.got, ","); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What was given up is not done, so that it is told again at the next start; what comes after it is sent all the same.
func TestGivesUpAndGoesOn(t *testing.T) {
	r := &receiver{statuses: []int{500, 500, 500, 204}, came: make(chan struct{}, 100)}
	server := httptest.NewServer(r)
	defer server.Close()
	s := run(t, Config{URLs: []string{server.URL}, Attempts: 3, FirstWait: time.Millisecond, Queue: 10})
	done := make(chan string, 2)
	s.Send("a", []byte("1"), func() { done <- "a" })
	s.Send("b", []byte("2"), func() { done <- "b" })
	if id := <-done; id != "b" {
		t.Errorf("%s is done", id)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := r.got[len(r.got)-1]; last != "b 2 No Content" || len(r.got) != 4 {
		t.Errorf("%q", r.got)
	}
}

// A receiver that is away keeps nothing from the others, and it is done only when all have it.
func TestURLsDoNotWaitForOneAnother(t *testing.T) {
	fast := &receiver{came: make(chan struct{}, 100)}
	server := httptest.NewServer(fast)
	defer server.Close()
	entered, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	}))
	defer slow.Close()
	s := run(t, Config{URLs: []string{slow.URL, server.URL}, Attempts: 3, FirstWait: time.Millisecond, Queue: 10})
	done := make(chan string, 2)
	s.Send("a", nil, func() { done <- "a" })
	s.Send("b", nil, func() { done <- "b" })
	<-entered
	for range 2 {
		<-fast.came
	}
	if len(done) > 0 {
		t.Errorf("%s is done", <-done)
	}
	close(release)
	<-entered
	for _, want := range []string{"a", "b"} {
		if id := <-done; id != want {
			t.Errorf("%s is done, not %s", id, want)
		}
	}
}

func TestDropsWhatHasNoRoom(t *testing.T) {
	s := New(Config{URLs: []string{"http://127.0.0.1:1"}, Queue: 2}, slog.New(slog.DiscardHandler)) // nobody runs it
	for range 5 {
		s.Send("x", nil, func() {})
	}
	if s.Dropped() != 3 {
		t.Errorf("%d were dropped", s.Dropped())
	}
	if err := (Config{URLs: []string{"ftp://x"}}).Validate(); err == nil {
		t.Error("ftp is no webhook")
	}
	if err := (Config{URLs: []string{"https://x/y"}}).Validate(); err != nil {
		t.Error(err)
	}
}
