package decisions

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		if err := child(folder, os.Getenv(childCrash)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// testConfig is small and writes at once.
func testConfig(dir string) Config {
	c := DefaultConfig()
	c.Dir, c.CommitEvery, c.SyncEvery = dir, time.Nanosecond, time.Hour
	c.MaxValueBytes = minSegmentBytes / 4
	c.QueueBytes, c.SegmentBytes, c.MaxBytes, c.MaxAge = minSegmentBytes, minSegmentBytes, 1<<30, 200*365*24*time.Hour
	return c
}

// running is a log that is being written.
type running struct {
	*Log
	t    *testing.T
	done chan error
	end  context.CancelFunc
}

func start(t *testing.T, cfg Config) *running {
	t.Helper()
	return startWith(t, cfg, createFile)
}

func startWith(t *testing.T, cfg Config, create func(string) (file, error)) *running {
	t.Helper()
	l, err := open(cfg, "build-1", slog.New(slog.DiscardHandler), create)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Log: l, t: t, done: make(chan error, 1), end: cancel}
	go func() { r.done <- l.Run(ctx) }()
	t.Cleanup(func() {
		if r.end != nil {
			r.end()
			<-r.done
		}
	})
	return r
}

// stop ends it in good order.
func (r *running) stop() {
	r.t.Helper()
	r.end()
	r.end = nil
	if err := <-r.done; err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) append(d *Decision) {
	r.t.Helper()
	if err := r.Append(r.t.Context(), d); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) flush() {
	r.t.Helper()
	if err := r.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// seal waits until every segment but the last is sealed.
func (r *running) settle() {
	r.t.Helper()
	if err := r.keep.round(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sample is the decision number i of a job: what the fraud function gives, with the strings of a real one.
func sample(i int) *Decision {
	verdict := [...]string{"pass", "pass", "review", "alert"}[i%4]
	return &Decision{
		ID: fmt.Sprintf("tx-%08d", i), Time: noon.Add(time.Duration(i) * time.Millisecond),
		Job: "5c61f1b9c9e08b5c9a0d4b1b4b0f4c11", Operator: "score", Subtask: i % 2, Epoch: uint64(i / 100), Fence: 7,
		Function: "fraud", Build: "9f0b7f2d1c6c5a80",
		Input: fmt.Appendf(nil, `{"accountId": %d, "timestamp": %d, "amount": %d.%02d, "device": "d-%d", "ip": "10.%d.%d.%d", "region": "eu-%d", "previousAmount": %d.50, "previousTimestamp": %d, "newDevice": %t}`,
			i*7919%5000, noon.UnixMilli()+int64(i), i*31%900, i%100, i*17%3000, i%256, i*13%256, i*29%256, i%7, i*37%700, noon.UnixMilli()+int64(i)-41000, i%9 == 0),
		Result: fmt.Appendf(nil, `{"score":0.%04d,"decision":%q,"reasons":["small amount %d.43 followed by %d.00 within 41 s"]}`, i*7919%10000, verdict, i%5, i*31%900),
		State:  []StateRead{{State: "profile", Key: fmt.Sprint(i * 7919 % 5000), Version: uint64(i / 50)}},
		Rules:  []string{"small-then-large"},
	}
}

// collect reads everything that is chosen.
func collect(t *testing.T, dir string, q Query) []Entry {
	t.Helper()
	var all []Entry
	for e, err := range NewReader(dir).Range(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func ids(entries []Entry) []string {
	var all []string
	for _, e := range entries {
		if e.Decision != nil {
			all = append(all, e.Decision.ID)
		}
	}
	return all
}

func notes(entries []Entry, kind NoteKind) []*Note {
	var all []*Note
	for _, e := range entries {
		if e.Note != nil && e.Note.Kind == kind {
			all = append(all, e.Note)
		}
	}
	return all
}

// verify returns what is wrong with a log.
func verify(t *testing.T, dir string, expect segment.Head) Report {
	t.Helper()
	report, err := NewReader(dir).Verify(t.Context(), expect)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func intact(t *testing.T, dir string) Report {
	t.Helper()
	report := verify(t, dir, segment.Head{})
	if len(report.Problems) > 0 || report.Tail != 0 {
		t.Fatalf("%+v", report)
	}
	return report
}
