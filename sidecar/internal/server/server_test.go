package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/server"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is a limit for what should happen at once, not a duration that anything is measured by.
const patience = 20 * time.Second

// sidecar is a whole one on real listeners.
type sidecar struct {
	t       *testing.T
	bound   server.Bound
	client  *http.Client
	signals chan os.Signal
	done    chan error
	ready   string
	log     *logBuffer

	entered chan string   // the function "wait" tells that it was called
	release chan struct{} // and returns when this is closed
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

type number struct {
	N    int64
	X    *float64
	Name *string
}

func (s *sidecar) functions(r *udf.Registry) {
	udf.Scalar(r, "number", func(_ context.Context, in number) (number, error) { return in, nil })
	udf.Scalar(r, "bad", func(context.Context, number) (bool, error) { return false, errors.New("no such account") })
	udf.Scalar(r, "panics", func(context.Context, number) (bool, error) { panic("told to") })
	udf.Scalar(r, "wait", func(ctx context.Context, in number) (bool, error) {
		s.entered <- "wait"
		<-s.release
		return ctx.Err() == nil, nil
	})
	udf.Scalar(r, "slow", func(ctx context.Context, in number) (bool, error) {
		<-ctx.Done()
		return false, ctx.Err()
	})
}

// start runs a sidecar with the given flags and waits until it is ready.
func start(t *testing.T, flags ...config.Flag) *sidecar {
	t.Helper()
	s, err := tryStart(t, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryStart(t *testing.T, flags ...config.Flag) (*sidecar, error) {
	t.Helper()
	given := append([]config.Flag{
		{Name: "http-addr", Value: "127.0.0.1:0"}, {Name: "grpc-addr", Value: "127.0.0.1:0"}, {Name: "admin-addr", Value: "127.0.0.1:0"},
		{Name: "drain-delay", Value: "0s"}, {Name: "log-level", Value: "debug"},
	}, flags...)
	loaded, err := config.Load(config.Sources{Flags: given})
	if err != nil {
		return nil, err
	}
	s := &sidecar{
		t: t, signals: make(chan os.Signal, 4), done: make(chan error, 1), ready: filepath.Join(t.TempDir(), "ready.json"),
		log: &logBuffer{}, entered: make(chan string, 100), release: make(chan struct{}),
	}
	transport := &http.Transport{}
	s.client = &http.Client{Transport: transport, Timeout: patience}
	go func() {
		s.done <- server.Run(context.Background(), server.Options{
			Config: loaded, Register: []func(*udf.Registry){s.functions}, ReadyFile: s.ready, Version: "test",
			LogOutput: s.log, Signals: s.signals,
		})
	}()
	for deadline := time.Now().Add(patience); ; {
		text, err := os.ReadFile(s.ready)
		if err == nil {
			if err := json.Unmarshal(text, &s.bound); err != nil {
				t.Fatalf("ready file %q: %v", text, err)
			}
			break
		}
		select {
		case err := <-s.done:
			if err == nil {
				err = errors.New("ended at once")
			}
			return nil, err
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("not ready")
		}
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if s.done != nil {
			s.signals <- syscall.SIGTERM
			if err := s.wait(); err != nil {
				t.Errorf("end: %v", err)
			}
		}
	})
	return s, nil
}

// wait returns what Run returned.
func (s *sidecar) wait() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		s.done = nil
		return err
	case <-time.After(patience):
		s.t.Fatalf("did not end; log:\n%s", s.log)
		return nil
	}
}

type answer struct {
	status int
	header http.Header
	body   string
	last   bool // the connection ends with it
}

func (a answer) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &p)
	return p.Code
}

func (s *sidecar) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	a, err := s.try(method, "http://"+s.bound.HTTP+path, body, header...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *sidecar) try(method, url, body string, header ...string) (answer, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text), resp.Close}, err
}

func (s *sidecar) admin(path string) answer {
	s.t.Helper()
	a, err := s.try(http.MethodGet, "http://"+s.bound.Admin+path, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// eventually waits for something that another process or goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
