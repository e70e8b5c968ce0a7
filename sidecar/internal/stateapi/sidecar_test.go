package stateapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/server"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

// patience is a limit for what should happen at once, not a duration that anything is measured by.
const patience = 30 * time.Second

// sidecar is a whole one, on a real listener.
type sidecar struct {
	t       *testing.T
	url     string
	signals chan os.Signal
	done    chan error
}

func start(t *testing.T, settings ...string) *sidecar {
	t.Helper()
	return startWith(t, nil, settings...)
}

// startWith starts a sidecar with functions of the test's, and settings as flags: name=value.
func startWith(t *testing.T, register func(*udf.Registry), settings ...string) *sidecar {
	t.Helper()
	var flags []config.Flag
	var environ []string
	for _, text := range append([]string{"http-addr=127.0.0.1:0", "grpc-addr=", "admin-addr=", "drain-delay=0s", "state-enabled=true", "evaluate-default-function=count"}, settings...) {
		name, value, _ := strings.Cut(text, "=")
		if strings.HasPrefix(name, "DREY_") { // secrets have no flags
			environ = append(environ, text)
			continue
		}
		flags = append(flags, config.Flag{Name: name, Value: value})
	}
	loaded, err := config.Load(config.Sources{Flags: flags, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	s := &sidecar{t: t, signals: make(chan os.Signal, 2), done: make(chan error, 1)}
	ready := filepath.Join(t.TempDir(), "ready.json")
	options := server.Options{Config: loaded, ReadyFile: ready, Version: "test", LogOutput: io.Discard, Signals: s.signals}
	if register != nil {
		options.Register = []func(*udf.Registry){register}
	}
	go func() { s.done <- server.Run(context.Background(), options) }()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		var bound server.Bound
		if text, err := os.ReadFile(ready); err == nil && json.Unmarshal(text, &bound) == nil {
			s.url = "http://" + bound.HTTP
			break
		}
		select {
		case err := <-s.done:
			t.Fatal(err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("not ready")
		}
	}
	t.Cleanup(s.stop)
	return s
}

// stop ends the sidecar as a supervisor does.
func (s *sidecar) stop() {
	s.t.Helper()
	if s.done == nil {
		return
	}
	s.signals <- syscall.SIGTERM
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Error(err)
		}
	case <-time.After(patience):
		s.t.Fatal("did not end")
	}
	s.done = nil
}

type answer struct {
	status int
	text   string

	Session   string
	Code      string
	Retryable bool
	Detail    string
	ID        string
	Timestamp int64
	Reference json.RawMessage
	Result    struct {
		Count int64
		ID    json.RawMessage
		Value json.RawMessage
	}
	State struct {
		Guarantee string
		Version   uint64
	}
}

func (s *sidecar) do(method, path, body string) answer {
	s.t.Helper()
	a, err := s.try(method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *sidecar) try(method, path, body string) (a answer, err error) {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	a.status, a.text = resp.StatusCode, string(text)
	if len(text) > 0 && err == nil {
		_ = json.Unmarshal(text, &a) // what is no JSON is seen in the text
	}
	return a, err
}

const groups = 128

// open opens a session for the subtask of an operator with a parallelism.
func (s *sidecar) open(subtask, parallelism int, restored bool) string {
	s.t.Helper()
	r := statestore.SubtaskRange(groups, parallelism, subtask)
	a := s.do("POST", "/v1/state/sessions", fmt.Sprintf(`{"job":"j","operator":"op","subtask":%d,"max_parallelism":%d,"key_groups":[%d,%d],"restored":%v}`,
		subtask, groups, r.From, r.To, restored))
	if a.status != 201 || a.Session == "" || !strings.Contains(a.text, `"guarantee":"checkpointed"`) {
		s.t.Fatalf("open: %d %s", a.status, a.text)
	}
	return a.Session
}

func keyGroup(key string) uint16 { return statestore.KeyGroup(statestore.HashString(key), groups) }

// count sends an event of a key.
func (s *sidecar) count(session, key, id string, epoch int) answer {
	s.t.Helper()
	return s.do("POST", "/evaluate", countBody(session, key, id, epoch))
}

func countBody(session, key, id string, epoch int) string {
	return fmt.Sprintf(`{"id":%q,"event":{"id":%q},"state":{"session":%q,"epoch":%d,"key_group":%d,"key":%q,"watermark":1000}}`,
		id, id, session, epoch, keyGroup(key), key)
}

// expect is the count that has to be answered.
func (s *sidecar) expect(session, key, id string, epoch int, want int64) answer {
	s.t.Helper()
	a := s.count(session, key, id, epoch)
	if a.status != 200 || a.Result.Count != want || string(a.Result.ID) != fmt.Sprintf("%q", id) || a.State.Guarantee != "checkpointed" {
		s.t.Fatalf("%s of %s: %d %s, want %d", id, key, a.status, a.text, want)
	}
	return a
}

// mark marks a barrier and waits for its snapshot.
func (s *sidecar) mark(session string, epoch int, inFlight ...string) string {
	s.t.Helper()
	s.marked(session, epoch, inFlight...)
	a := s.do("GET", fmt.Sprintf("/v1/state/sessions/%s/marks/%d?wait=20s", session, epoch), "")
	if a.status != 200 || len(a.Reference) == 0 {
		s.t.Fatalf("durable: %d %s", a.status, a.text)
	}
	return string(a.Reference)
}

// marked marks a barrier; inFlight are pairs of an id and a key.
func (s *sidecar) marked(session string, epoch int, inFlight ...string) {
	s.t.Helper()
	var list []string
	for i := 0; i+1 < len(inFlight); i += 2 {
		list = append(list, fmt.Sprintf(`{"id":%q,"key_group":%d}`, inFlight[i], keyGroup(inFlight[i+1])))
	}
	a := s.do("POST", "/v1/state/sessions/"+session+"/marks", fmt.Sprintf(`{"epoch":%d,"in_flight":[%s],"full":false}`, epoch, strings.Join(list, ",")))
	if a.status != 202 {
		s.t.Fatalf("mark: %d %s", a.status, a.text)
	}
}

func (s *sidecar) restore(session string, references ...string) answer {
	s.t.Helper()
	return s.do("POST", "/v1/state/sessions/"+session+"/restore", `{"references":[`+strings.Join(references, ",")+`]}`)
}

// together runs n calls at the same time and returns what they answered.
func together(n int, call func(i int) answer) []answer {
	answers := make([]answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = call(i) })
	}
	wg.Wait()
	return answers
}
