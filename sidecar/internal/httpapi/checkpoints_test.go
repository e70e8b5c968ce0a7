package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

const (
	job      = "14ab15ac1452e671ba95b9cfcafa7c47"
	otherJob = "00000000000000000000000000000001"
	secret   = "a token of sixteen letters or more"
)

// watch plays the watcher: what it knows is what the test says.
type watch struct {
	mu       sync.Mutex
	err      error
	records  []checkpoint.Record
	events   []checkpoint.Event // with Seq oldest, oldest+1, ...
	changed  chan struct{}
	notified []string
	asked    []string
}

func newWatch() *watch {
	moment := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return &watch{changed: make(chan struct{}), records: []checkpoint.Record{
		{
			Key: checkpoint.Key{Job: job, ID: 7, Path: "s3://flink/7", Triggered: 7000}, Seq: 2, Run: 1000, State: checkpoint.Copied,
			Operators: 2, Files: 3, Bytes: 100, Missing: []string{"s3://flink/x"}, SeenAt: moment, CopiedAt: moment,
		},
		{Key: checkpoint.Key{Job: job, ID: 6, Path: "s3://flink/6", Triggered: 6000}, Seq: 1, State: checkpoint.Seen, SeenAt: moment},
	}}
}

func (w *watch) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *watch) emit(events ...checkpoint.Event) {
	w.set(func() {
		w.events = append(w.events, events...)
		close(w.changed)
		w.changed = make(chan struct{})
	})
}

func (w *watch) Checkpoints(of string, limit int) ([]checkpoint.Record, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, fmt.Sprintf("%s %d", of, limit))
	return w.records, w.err
}

func (w *watch) Checkpoint(of string, id int64) (checkpoint.Record, error) {
	for _, r := range w.records {
		if r.Job == of && r.ID == id {
			return r, w.err
		}
	}
	return checkpoint.Record{}, problem.New(problem.NotFound, "no checkpoint %d", id)
}

func (w *watch) Folder(r checkpoint.Record) string {
	if r.State != checkpoint.Copied {
		return ""
	}
	return "/copies/" + r.Folder()
}

func (w *watch) Jobs() ([]checkpoint.Job, error) {
	return []checkpoint.Job{{
		Run:    checkpoint.Run{Job: job, Name: "fraud", Started: 1000, Restored: -1, LastRecovered: 7, State: "RUNNING"},
		Polled: time.UnixMilli(9000), Pending: 1, Newest: &w.records[0],
	}}, w.err
}

func (w *watch) Authorize(token string) error {
	switch token {
	case secret:
		return nil
	case "":
		return problem.New(problem.Forbidden, "set watch.notify_token_file")
	}
	return problem.New(problem.Unauthenticated, "another token")
}

func (w *watch) Notify(_ context.Context, of string, id int64, path string) (checkpoint.Record, error) {
	w.notified = append(w.notified, fmt.Sprintf("%s %d %s", of, id, path))
	if of == otherJob {
		return checkpoint.Record{}, problem.New(problem.NotFound, "no such job")
	}
	return w.records[1], w.err
}

func (w *watch) Events(after uint64, limit int) ([]checkpoint.Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []checkpoint.Event
	for _, e := range w.events {
		if e.Seq > after && len(found) < limit {
			found = append(found, e)
		}
	}
	return found, w.err
}

func (w *watch) EventSpan() (oldest, newest uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		return 0, 0, w.err
	}
	return w.events[0].Seq, w.events[len(w.events)-1].Seq, w.err
}

func (w *watch) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

func TestCheckpointDocuments(t *testing.T) {
	f := newFixture(t)
	w := f.do("GET", "/v1/checkpoints?job=fraud&limit=5", "")
	var list struct {
		Checkpoints []struct {
			ID         int64 `json:"checkpoint_id"`
			State      string
			Restorable *bool
			Folder     string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 || len(list.Checkpoints) != 2 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if c := list.Checkpoints[0]; c.ID != 7 || c.Restorable == nil || *c.Restorable || !strings.HasPrefix(c.Folder, "/copies/chk-7-") {
		t.Errorf("objects are missing, so it is not restorable: %s", w.Body)
	}
	if c := list.Checkpoints[1]; c.Restorable != nil || c.Folder != "" {
		t.Errorf("nothing was looked at, so nothing is said: %s", w.Body)
	}
	if diff := cmp.Diff([]string{"fraud 5"}, f.watch.asked); diff != "" {
		t.Errorf("asked -want +got:\n%s", diff)
	}
	for path, want := range map[string]int{
		"/v1/checkpoints?limit=-1": 400, "/v1/checkpoints?limit=x": 400, "/v1/checkpoints/" + job + "/7": 200, "/v1/checkpoints/" + job + "/8": 404,
		"/v1/checkpoints/" + job + "/x": 400, "/v1/checkpoints/" + job + "/-1": 400, "/v1/checkpoints/" + job + "/99999999999999999999": 400, "/v1/jobs": 200,
	} {
		if w := f.do("GET", path, ""); w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	f.watch.err = errors.New("disk on fire")
	for _, path := range []string{"/v1/checkpoints", "/v1/checkpoints/" + job + "/7", "/v1/jobs", "/v1/events"} {
		if w := f.do("GET", path, ""); w.Code != 500 || strings.Contains(w.Body.String(), "fire") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestWithoutAWatcher(t *testing.T) {
	f := newFixture(t)
	f.api.Watch = nil
	for _, request := range [][2]string{{"GET", "/v1/checkpoints"}, {"GET", "/v1/jobs"}, {"GET", "/v1/events"}, {"POST", "/v1/checkpoints/notify"}} {
		if w := f.do(request[0], request[1], "{}"); w.Code != 404 || !strings.Contains(w.Body.String(), "watch.flink") {
			t.Errorf("%v: %d %s", request, w.Code, w.Body)
		}
	}
}

func TestNotify(t *testing.T) {
	f := newFixture(t)
	good := `{"job":"` + job + `","checkpoint_id":6,"path":"s3://flink/6"}`
	bearer := []string{"Authorization", "Bearer " + secret}
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
		code   problem.Code
		says   string
	}{
		"good":                       {good, bearer, 202, "", `"state":"SEEN"`},
		"no token":                   {good, nil, 403, problem.Forbidden, "watch.notify_token_file"},
		"another scheme":             {good, []string{"Authorization", "Basic " + secret}, 403, problem.Forbidden, ""},
		"another token":              {good, []string{"Authorization", "Bearer x"}, 401, problem.Unauthenticated, ""},
		"a stranger's garbage":       {strings.Repeat("x", 2<<20), []string{"Authorization", "Bearer x"}, 401, problem.Unauthenticated, ""},
		"too large":                  {`{"job":"` + strings.Repeat("x", 2<<20) + `"}`, bearer, 413, problem.BodyTooLarge, "http.max_body_bytes"},
		"not JSON":                   {"job=x", bearer, 400, problem.InvalidRequest, "checkpoint_id"},
		"an unknown key":             {strings.Replace(good, "{", `{"jobs":1,`, 1), bearer, 400, problem.InvalidRequest, "jobs"},
		"twice the same key":         {strings.Replace(good, "{", `{"job":"x",`, 1), bearer, 400, problem.InvalidRequest, "duplicate"},
		"nothing":                    {`{}`, bearer, 400, problem.InvalidRequest, "is missing"},
		"a number that is none":      {strings.Replace(good, ":6,", `:"6",`, 1), bearer, 400, problem.InvalidRequest, ""},
		"a number below 0":           {strings.Replace(good, ":6,", ":-6,", 1), bearer, 400, problem.InvalidRequest, "must not be negative"},
		"a path without end":         {strings.Replace(good, "s3://flink/6", "s3://flink/"+strings.Repeat("x", 3000), 1), bearer, 400, problem.InvalidRequest, "too long"},
		"a job that is not followed": {strings.Replace(good, job, otherJob, 1), bearer, 404, problem.NotFound, ""},
		"a page of another origin":   {good, append([]string{"Origin", "https://evil.example"}, bearer...), 400, problem.InvalidRequest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f.watch.notified = nil
			w := f.do("POST", "/v1/checkpoints/notify", c.body, c.header...)
			if w.Code != c.status || codeOf(w) != c.code || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if taken := len(f.watch.notified) > 0; taken != (c.status == 202 || c.status == 404) {
				t.Errorf("notified: %v", f.watch.notified)
			}
			if strings.Contains(f.log.String(), secret) {
				t.Error("the token is in the log")
			}
		})
	}
	if w := f.do("POST", "/v1/checkpoints/notify", good, "Authorization", "Bearer x"); w.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("headers %v", w.Header())
	}
}

func event(seq uint64, of string) checkpoint.Event {
	return checkpoint.Event{Seq: seq, Time: time.UnixMilli(int64(seq)).UTC(), Kind: checkpoint.EventCopied, Job: of, Checkpoint: int64(seq), Message: "a\nb"}
}

// reader reads a stream of events from a real server.
type reader struct {
	t     *testing.T
	lines *bufio.Scanner
	ended func()
}

// timeouts of its listener are for requests that end.
const timeouts = time.Second

func (f *fixture) read(t *testing.T, path string, header ...string) *reader {
	t.Helper()
	server := httptest.NewUnstartedServer(f.data)
	server.Config.WriteTimeout, server.Config.ReadTimeout = timeouts, timeouts
	server.Start()
	req, err := http.NewRequest("GET", server.URL+path, nil) //nolint:noctx // ended below
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	end := sync.OnceFunc(func() {
		resp.Body.Close() //nolint:errcheck
		server.Close()
	})
	t.Cleanup(end)
	return &reader{t, bufio.NewScanner(resp.Body), end}
}

// next returns the lines of the next block.
func (r *reader) next() []string {
	r.t.Helper()
	var block []string
	for r.lines.Scan() {
		if r.lines.Text() == "" {
			return block
		}
		block = append(block, r.lines.Text())
	}
	r.t.Fatalf("the stream ended: %v", r.lines.Err())
	return nil
}

func (r *reader) expect(want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.next()); diff != "" {
		r.t.Errorf("-want +got:\n%s", diff)
	}
}

func (r *reader) expectEvent(e checkpoint.Event) {
	r.t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		r.t.Fatal(err)
	}
	r.expect(fmt.Sprint("id: ", e.Seq), "event: "+string(e.Kind), "data: "+string(data))
}

func TestEventsAsTheyCome(t *testing.T) {
	f := newFixture(t)
	f.watch.emit(event(1, job), event(2, job))
	r := f.read(t, "/v1/events")
	r.expect(": events of drey", "retry: 1000")
	r.expect("id: 2") // only what is to come
	time.AfterFunc(timeouts+timeouts/5, func() { f.watch.emit(event(3, job)) })
	r.expectEvent(event(3, job))
	f.watch.emit(event(4, otherJob), event(5, job))
	r.expectEvent(event(4, otherJob))
	r.expectEvent(event(5, job))
}

func TestEventsFromWhereTheReaderWas(t *testing.T) {
	f := newFixture(t)
	var all []checkpoint.Event
	for seq := uint64(11); seq <= 1000; seq++ {
		of := job
		if seq%2 == 0 {
			of = otherJob
		}
		all = append(all, event(seq, of))
	}
	f.watch.emit(all...)
	for name, c := range map[string]struct {
		path   string
		header []string
		first  uint64
		lost   string
	}{
		"by the address":                {path: "/v1/events?after=500", first: 501},
		"by the header":                 {path: "/v1/events", header: []string{"Last-Event-ID", "998"}, first: 999},
		"the header is newer":           {path: "/v1/events?after=500", header: []string{"Last-Event-ID", "900"}, first: 901},
		"only one job":                  {path: "/v1/events?after=501&job=" + strings.ToUpper(job), first: 503},
		"all that there are":            {path: "/v1/events?after=10", first: 11},
		"away for too long":             {path: "/v1/events?after=5", first: 11, lost: `data: {"after":5,"oldest":11}`},
		"the number of another ledger":  {path: "/v1/events?after=5000", first: 11, lost: `data: {"after":5000,"oldest":11}`},
		"from the beginning, long gone": {path: "/v1/events?after=0", first: 11, lost: `data: {"after":0,"oldest":11}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := f.read(t, c.path, c.header...)
			r.expect(": events of drey", "retry: 1000")
			if c.lost != "" {
				r.expect("event: events.lost", c.lost)
			}
			if place := r.next(); len(place) != 1 || !strings.HasPrefix(place[0], "id: ") {
				t.Errorf("place: %q", place)
			}
			r.expectEvent(all[c.first-11])
			r.ended()
		})
	}
	for _, c := range []struct{ path, header string }{
		{"/v1/events?after=-1", ""}, {"/v1/events?after=x", ""}, {"/v1/events", "x"}, {"/v1/events?job=fraud", ""},
	} {
		header := []string{}
		if c.header != "" {
			header = append(header, "Last-Event-ID", c.header)
		}
		if w := f.do("GET", c.path, "", header...); w.Code != 400 {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
	if w := f.do("HEAD", "/v1/events", ""); w.Code != 200 || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d %s", w.Code, w.Body)
	}
}

func TestEventsEndAtDrain(t *testing.T) {
	f := newFixture(t)
	r := f.read(t, "/v1/events")
	r.expect(": events of drey", "retry: 1000")
	r.expect("id: 0")
	f.api.Drain()
	if r.lines.Scan() || r.lines.Err() != nil {
		t.Errorf("after the drain: %q, %v; want a proper end", r.lines.Text(), r.lines.Err())
	}
	if w := f.do("GET", "/v1/events", ""); w.Code != 503 || codeOf(w) != problem.Draining {
		t.Errorf("a new reader: %d %s", w.Code, w.Body)
	}
}

func TestReadersOfEventsAreBounded(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	started := make(chan struct{}, 200)
	for range 100 {
		readers.Go(func() {
			w := &startedRecorder{ResponseRecorder: httptest.NewRecorder(), started: started}
			f.data.ServeHTTP(w, request("GET", "/v1/events", "").WithContext(ctx))
		})
	}
	for range 100 {
		<-started
	}
	if w := f.do("GET", "/v1/events", ""); w.Code != 503 || codeOf(w) != problem.Overloaded {
		t.Errorf("one more: %d %s", w.Code, w.Body)
	}
	cancel()
	readers.Wait()
	if w := f.do("HEAD", "/v1/events", ""); w.Code != 200 {
		t.Errorf("after they went: %d", w.Code)
	}
}

type startedRecorder struct {
	*httptest.ResponseRecorder
	started chan struct{}
}

func (r *startedRecorder) WriteHeader(status int) {
	r.ResponseRecorder.WriteHeader(status)
	r.started <- struct{}{}
}

// A reader that takes nothing is cut, once the buffers between are full; the sidecar holds nothing for it meanwhile.
func TestSlowReaderIsCut(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a slow reader may")
	}
	f := newFixture(t)
	var all []checkpoint.Event
	for seq := uint64(1); seq <= 20_000; seq++ {
		e := event(seq, job)
		e.Path = strings.Repeat("x", 2000)
		all = append(all, e)
	}
	f.watch.emit(all...)
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		f.data.ServeHTTP(w, r)
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the reader takes nothing for a minute and is not cut")
	}
}
