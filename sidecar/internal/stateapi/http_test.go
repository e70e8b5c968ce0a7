package stateapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
	"github.com/drey-flink/drey/sidecar/state"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// keys of both halves of the key groups.
var keys = []string{"a", "b", "c", "d", "e", "f", "g", "h"}

// A checkpoint is taken, the job goes on, is restored with another parallelism, and on another sidecar: what came before the
// barrier counts once, what came after it counts again.
func TestCheckpointAndRestore(t *testing.T) {
	store := "state-store=file://" + t.TempDir()
	old := start(t, store)
	first := old.open(0, 1, false)
	for i, key := range keys {
		for n := range i + 1 {
			old.expect(first, key, fmt.Sprint(key, n), 0, int64(n+1))
		}
	}
	again := old.expect(first, "h", "h7", 0, 8)
	if same := old.expect(first, "h", "h7", 0, 8); same.Timestamp != again.Timestamp || same.State != again.State {
		t.Errorf("a repeated id is answered otherwise: %s, then %s", again.text, same.text)
	}
	// A request that has seen the barrier overtakes the mark of it; one that was sent before it comes later.
	old.expect(first, "a", "after", 1, 2)
	old.expect(first, "b", "late", 0, 3)
	reference := old.mark(first, 1, "h7", "h", "late", "b")
	old.expect(first, "a", "after too", 1, 3)

	young := start(t, store)
	for parallelism := range 3 {
		parallelism++
		sessions := make([]string, parallelism)
		for i := range sessions {
			sessions[i] = young.open(i, parallelism, true)
		}
		of := func(key string) string {
			return sessions[(int(keyGroup(key))*parallelism)/groups]
		}
		if a := young.count(of("a"), "a", "too early", 1); a.status != 409 || a.Code != "not_restored" || a.Retryable {
			t.Errorf("before restore: %d %s", a.status, a.text)
		}
		for _, s := range sessions {
			for range 2 { // twice is as good as once
				if a := young.restore(s, reference); a.status != 200 || strings.TrimSpace(a.text) != "{}" {
					t.Fatalf("restore: %d %s", a.status, a.text)
				}
			}
		}
		for i, key := range keys {
			young.expect(of(key), key, "new "+key, 1, int64(i+2))
		}
		young.expect(of("h"), "h", "h7", 1, 8) // from its stored answer
		young.expect(of("b"), "b", "late", 1, 4)
		if a := young.restore(sessions[0], strings.Replace(reference, "sha256\":\"", "sha256\":\"0", 1)); a.status != 409 || a.Code != "conflict" {
			t.Errorf("another restore: %d %s", a.status, a.text)
		}
	}
}

// A newer attempt takes over, on the same sidecar.
func TestFenced(t *testing.T) {
	s := start(t, "state-store=file://"+t.TempDir())
	old := s.open(0, 1, false)
	s.expect(old, "a", "1", 0, 1)
	half := s.open(0, 2, false)
	for name, a := range map[string]answer{
		"request": s.count(old, "h", "2", 0),
		"mark":    s.do("POST", "/v1/state/sessions/"+old+"/marks", `{"epoch":1}`),
		"durable": s.do("GET", "/v1/state/sessions/"+old+"/marks/1", ""),
		"restore": s.restore(old),
		"abort":   s.do("DELETE", "/v1/state/sessions/"+old+"/marks/1", ""),
	} {
		if a.status != 409 || a.Code != "fenced" || a.Retryable {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	for range 2 {
		for _, session := range []string{old, half} {
			if a := s.do("DELETE", "/v1/state/sessions/"+session, ""); a.status != 204 || a.text != "" {
				t.Errorf("close: %d %s", a.status, a.text)
			}
		}
	}
	if a := s.count(half, "a", "3", 0); a.status != 404 || a.Code != "unknown_session" {
		t.Errorf("after the end: %d %s", a.status, a.text)
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, "state-store=file://"+t.TempDir(), "state-limits-key-bytes=64")
	half, whole := s.open(0, 2, false), s.open(1, 2, false)
	marks := "/v1/state/sessions/" + half + "/marks"
	s.mark(half, 5)
	outside := keys[slices.IndexFunc(keys, func(key string) bool { return keyGroup(key) >= groups/2 })]
	inside := keys[slices.IndexFunc(keys, func(key string) bool { return keyGroup(key) < groups/2 })]
	long := strings.Repeat("x", 64)
	for keyGroup(long) < groups/2 {
		long += "x"
	}
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"no such session", "POST", "/evaluate", countBody("ABC-1", "a", "x", 0), 404, "unknown_session"},
		{"no session", "POST", "/evaluate", countBody("ABC", "a", "x", 0), 400, "invalid_request"},
		{"another key group", "POST", "/evaluate", countBody(half, outside, "x", 0), 422, "wrong_key_group"},
		{"a late copy", "POST", "/evaluate", countBody(half, inside, "x", 4), 409, "stale"},
		{"a key that is too long", "POST", "/evaluate", countBody(whole, long, "x", 0), 422, "state_limit"},
		{"no id", "POST", "/evaluate", `{"event":{},"state":{"session":"` + half + `","epoch":0,"key_group":0,"key":""}}`, 400, "invalid_request"},
		{"no epoch", "POST", "/evaluate", `{"id":"1","event":{},"state":{"session":"` + half + `","key_group":0,"key":""}}`, 400, "invalid_request"},
		{"key group too high", "POST", "/evaluate", `{"id":"1","event":{},"state":{"session":"` + half + `","epoch":1,"key_group":32768,"key":""}}`, 400, "invalid_request"},
		{"epoch is a fraction", "POST", "/evaluate", `{"id":"1","event":{},"state":{"session":"` + half + `","epoch":1.0,"key_group":1,"key":""}}`, 400, "invalid_request"},
		{"unknown key", "POST", "/evaluate", `{"event":{},"state":{"key":"k","kye":1}}`, 400, "invalid_request"},
		{"epoch without session", "POST", "/evaluate", `{"event":{},"state":{"key":"k","epoch":1}}`, 400, "invalid_request"},
		{"restore of one that was not", "POST", "/v1/state/sessions/" + half + "/restore", `{"references":[]}`, 409, "conflict"},
		{"late mark", "POST", marks, `{"epoch":4}`, 409, "late_mark"},
		{"mark zero", "POST", marks, `{"epoch":0}`, 400, "invalid_request"},
		{"mark of another key group", "POST", marks, `{"epoch":6,"in_flight":[{"id":"x","key_group":127}]}`, 422, "wrong_key_group"},
		{"mark with a stranger", "POST", marks, `{"epoch":6,"inflight":[]}`, 400, "invalid_request"},
		{"mark twice", "POST", marks, `{"epoch":6,"epoch":7}`, 400, "invalid_request"},
		{"never marked", "GET", marks + "/9?wait=1s", "", 409, "no_snapshot"},
		{"wait for what", "GET", marks + "/5?wait=soon", "", 400, "invalid_request"},
		{"epoch x", "GET", marks + "/x", "", 400, "invalid_request"},
		{"epoch 0", "DELETE", marks + "/0", "", 400, "invalid_request"},
		{"open nothing", "POST", "/v1/state/sessions", `{}`, 400, "invalid_request"},
		{"open no range", "POST", "/v1/state/sessions", `{"job":"j","operator":"o","max_parallelism":128,"key_groups":[127,0]}`, 400, "invalid_request"},
		{"open half a range", "POST", "/v1/state/sessions", `{"job":"j","operator":"o","max_parallelism":128,"key_groups":[127]}`, 400, "invalid_request"},
		{"open beyond", "POST", "/v1/state/sessions", `{"job":"j","operator":"o","max_parallelism":128,"key_groups":[0,128]}`, 400, "invalid_request"},
		{"no JSON", "POST", "/v1/state/sessions", `{`, 400, "invalid_request"},
	} {
		a := s.do(c.method, c.path, c.body)
		if a.status != c.status || a.Code != c.code || a.Retryable || a.Detail == "" {
			t.Errorf("%s: %d %s, want %d %s", c.name, a.status, a.text, c.status, c.code)
		}
	}
	if a := s.count(whole, outside, "ok", 0); a.status != 200 {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestRestoreOfWhatIsNotThere(t *testing.T) {
	s := start(t, "state-store=file://"+t.TempDir())
	session := s.open(0, 1, true)
	a := s.restore(session, `{"key":"state/j/op/gone.manifest","sha256":"`+strings.Repeat("0", 64)+`","bytes":100}`)
	if a.status != 422 || a.Code != "restore_failed" || a.Retryable {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := s.restore(session, `{"key":"x"}`); a.status != 422 && a.status != 400 {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestAbort(t *testing.T) {
	server := snapshottest.StartS3(t)
	server.Bucket(t, "state")
	s := start(t, onS3(server)...)
	session := s.open(0, 1, false)
	s.expect(session, "a", "1", 0, 1)
	server.Stop()
	s.marked(session, 1)
	path := "/v1/state/sessions/" + session + "/marks/1"
	if a := s.do("GET", path, ""); a.status != 202 || strings.TrimSpace(a.text) != "{}" {
		t.Errorf("not yet: %d %s", a.status, a.text)
	}
	waiting := make(chan answer, 1)
	go func() {
		a, err := s.try("GET", path+"?wait=50s", "")
		if err != nil {
			a.text = err.Error()
		}
		waiting <- a
	}()
	for range 2 {
		if a := s.do("DELETE", path, ""); a.status != 204 {
			t.Errorf("abort: %d %s", a.status, a.text)
		}
	}
	if a := <-waiting; a.status != 409 || a.Code != "no_snapshot" {
		t.Errorf("whoever waits: %d %s", a.status, a.text)
	}
}

func onS3(server *snapshottest.S3) []string {
	c := server.Config()
	return []string{
		"state-store=s3://state/drey", "state-s3-endpoint=" + c.Endpoint, "state-s3-path-style=true", "state-s3-region=" + c.Region,
		"state-s3-attempts=2", "state-s3-max-backoff=20ms", "DREY_STATE_S3_ACCESS_KEY=" + c.AccessKey, "DREY_STATE_S3_SECRET_KEY=" + c.SecretKey,
	}
}

// The store is away while a barrier passes: requests are answered all the time, and the snapshot is there once the store is.
func TestStoreComesBack(t *testing.T) {
	server := snapshottest.StartS3(t)
	server.Bucket(t, "state")
	s := start(t, onS3(server)...)
	session := s.open(0, 1, false)
	s.expect(session, "a", "1", 0, 1)
	server.Stop()
	s.marked(session, 1)
	s.expect(session, "a", "2", 1, 2)
	young := start(t, onS3(server)...)
	other := young.open(0, 1, true)
	if a := young.restore(other, `{"key":"x.manifest","sha256":"`+strings.Repeat("0", 64)+`","bytes":100}`); a.status != 503 || a.Code != "restore_unavailable" || !a.Retryable {
		t.Errorf("restore without a store: %d %s", a.status, a.text)
	}
	server.Start()
	a := s.do("GET", "/v1/state/sessions/"+session+"/marks/1?wait=50s", "")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.text)
	}
	if a := young.restore(other, string(a.Reference)); a.status != 200 {
		t.Fatalf("restore: %d %s", a.status, a.text)
	}
	young.expect(other, "a", "2", 1, 2)
	young.expect(other, "a", "3", 1, 3)
}

// A sidecar that was ended comes back from its folder with everything; without one nobody knows it.
func TestRestart(t *testing.T) {
	store, folder := "state-store=file://"+t.TempDir(), t.TempDir()
	s := start(t, store, "state-folder="+folder)
	session := s.open(0, 1, false)
	for i := range 5 {
		s.expect(session, "a", fmt.Sprint(i), 0, int64(i+1))
	}
	reference := s.mark(session, 1, "4", "a")
	s.expect(session, "a", "5", 1, 6)
	s.stop()
	s = start(t, store, "state-folder="+folder)
	s.expect(session, "a", "5", 1, 6)
	s.expect(session, "a", "4", 1, 5)
	s.expect(session, "a", "6", 1, 7)
	if a := s.do("GET", "/v1/state/sessions/"+session+"/marks/1?wait=20s", ""); a.status != 200 || string(a.Reference) != reference {
		t.Errorf("the snapshot from before: %d %s, want %s", a.status, a.text, reference)
	}
	s.stop()
	s = start(t, store)
	if a := s.count(session, "a", "7", 1); a.status != 404 || a.Code != "unknown_session" {
		t.Errorf("without the folder: %d %s", a.status, a.text)
	}
}

// Without a session, state is what this sidecar remembers, and says so.
func TestLocalState(t *testing.T) {
	s := start(t)
	body := func(id, key string) string { return fmt.Sprintf(`{%s"event":{},"state":{"key":%q}}`, id, key) }
	const callers = 40
	var counts []int64
	for _, a := range together(callers, func(int) answer { return s.do("POST", "/evaluate", body("", "a")) }) {
		if a.status != 200 || a.State.Guarantee != "at-least-once" {
			t.Fatalf("%d %s", a.status, a.text)
		}
		counts = append(counts, a.Result.Count)
	}
	slices.Sort(counts)
	for i, n := range counts {
		if n != int64(i+1) {
			t.Fatalf("the counts are %v", counts)
		}
	}
	first, second := s.do("POST", "/evaluate", body(`"id":"x",`, "")), s.do("POST", "/evaluate", body(`"id":"x",`, ""))
	if first.Result.Count != 1 || first.text != second.text {
		t.Errorf("the same id: %s, then %s", first.text, second.text)
	}
	if a := s.do("POST", "/evaluate", body(`"id":"x",`, "a")); a.status != 422 || a.Code != "id_reused" {
		t.Errorf("the same id for another key: %d %s", a.status, a.text)
	}
	if a := s.do("POST", "/evaluate", `{"event":{}}`); a.status != 422 || a.Code != "function_error" || !strings.Contains(a.Detail, "needs state") {
		t.Errorf("without state: %d %s", a.status, a.text)
	}
	for _, a := range []answer{s.do("POST", "/v1/state/sessions", `{}`), s.do("DELETE", "/v1/state/sessions/x", "")} {
		if a.status != 404 || a.Code != "not_found" {
			t.Errorf("sessions without a store: %d %s", a.status, a.text)
		}
	}
	if a := s.count("A-1", "a", "y", 0); a.status != 404 || a.Code != "unknown_session" {
		t.Errorf("a session without a store: %d %s", a.status, a.text)
	}
	off := start(t, "state-enabled=false")
	if a := off.do("POST", "/evaluate", body("", "a")); a.status != 400 || !strings.Contains(a.Detail, "state.enabled") {
		t.Errorf("state is off: %d %s", a.status, a.text)
	}
}

// Calls of one key in one session, at the same time and in a batch, count one after the other.
func TestConcurrentCalls(t *testing.T) {
	s := start(t, "state-store=file://"+t.TempDir())
	session := s.open(0, 1, false)
	const callers = 40
	var counts []int64
	for _, a := range together(callers, func(i int) answer { return s.count(session, "a", fmt.Sprint(i), 0) }) {
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.text)
		}
		counts = append(counts, a.Result.Count)
	}
	var items []string
	for i := range callers {
		items = append(items, countBody(session, "a", fmt.Sprint("batch", i), 0))
	}
	a := s.do("POST", "/v1/evaluate:batch", `{"items":[`+strings.Join(items, ",")+`]}`)
	var batch struct{ Items []answer }
	if err := json.Unmarshal([]byte(a.text), &batch); err != nil || a.status != 200 {
		t.Fatalf("%d %s: %v", a.status, a.text, err)
	}
	for _, item := range batch.Items {
		counts = append(counts, item.Result.Count)
	}
	slices.Sort(counts)
	for i, n := range counts {
		if n != int64(i+1) || len(counts) != 2*callers {
			t.Fatalf("the counts are %v", counts)
		}
	}
}

// A function that fails, panics or takes too long has changed nothing; what it does with its state afterwards has no effect.
func TestCallsThatFail(t *testing.T) {
	goOn, ended := make(chan struct{}), make(chan error, 1)
	s := startWith(t, func(r *udf.Registry) {
		udf.Scalar(r, "fails", func(ctx context.Context, how string) (int, error) {
			st, _ := state.From(ctx)
			n, err := state.Update(st, "n", func(n int, _ bool) (int, error) { return n + 1, nil })
			switch how {
			case "error":
				return 0, errors.New("no such account")
			case "panic":
				panic("told to")
			case "slow":
				<-ctx.Done()
				<-goOn
				ended <- state.Set(st, "n", 100)
			}
			return n, err
		})
	}, "state-store=file://"+t.TempDir(), "evaluate-default-function=fails", "evaluate-deadline=300ms")
	session := s.open(0, 1, false)
	call := func(how, id string) answer {
		return s.do("POST", "/evaluate", fmt.Sprintf(`{"id":%q,"event":%q,"state":{"session":%q,"epoch":0,"key_group":%d,"key":"k"}}`, id, how, session, keyGroup("k")))
	}
	if a := call("slow", "1"); a.status != 504 {
		t.Errorf("%d %s", a.status, a.text)
	}
	close(goOn)
	if err := <-ended; !errors.Is(err, state.ErrEnded) {
		t.Errorf("after the deadline: %v", err)
	}
	if a := call("error", "1"); a.status != 422 || a.Code != "function_error" {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := call("panic", "1"); a.status != 500 || a.Code != "function_panic" {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := call("", "1"); a.status != 200 || string(a.Result.Value) != "1" || a.State.Version != 0 {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := call("", "2"); a.status != 200 || string(a.Result.Value) != "2" || a.State.Version == 0 {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestIdleSessionsAreDroppedAndCounted(t *testing.T) {
	s := start(t, "state-store=file://"+t.TempDir(), "state-idle-timeout=3s")
	session := s.open(0, 1, false)
	s.expect(session, "a", "1", 0, 1)
	s.mark(session, 1)
	metrics := s.do("GET", "/metrics", "").text
	for _, want := range []string{"drey_state_sessions 1", "drey_state_keys 1", "drey_state_pending_barriers 0", "drey_state_snapshot_duration_seconds_count 1", "drey_state_snapshots_missed_total 0"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for deadline := time.Now().Add(patience); !strings.Contains(s.do("GET", "/metrics", "").text, "drey_state_sessions 0"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the session is still there")
		}
	}
	if a := s.count(session, "a", "2", 1); a.status != 404 || a.Code != "unknown_session" {
		t.Errorf("%d %s", a.status, a.text)
	}
}
