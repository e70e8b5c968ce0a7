package demo

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

func TestQuantile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100-i) * 1000 // 1 to 100 ms, not in order
	}
	for _, c := range []struct {
		micros []float64
		q      float64
		want   float64
	}{
		{nil, 0.5, 0},
		{[]float64{7000}, 0.5, 7},
		{[]float64{7000}, 0.99, 7},
		{[]float64{3000, 1000, 2000}, 0.5, 2},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
	} {
		if got := quantile(c.micros, c.q); got != c.want {
			t.Errorf("%v of %d: got %v, want %v", c.q, len(c.micros), got, c.want)
		}
	}
}

func TestQuality(t *testing.T) {
	// Two of three alerts are right, two of four positives are found; of the 4 x 2 pairs, the positive is above in 4.
	labels := []bool{true, true, true, true, false, false}
	alerts := []bool{true, true, false, false, true, false}
	scores := []float64{0.9, 0.8, 0.3, 0.2, 0.85, 0.25}
	got := qualityOf(labels, alerts, scores)
	want := []float64{2.0 / 3, 0.5, 4.0 / 8, 4.0 / 6}
	for i, p := range []*float64{got.Precision, got.Recall, got.AUC, got.BaseRate} {
		if p == nil || math.Abs(*p-want[i]) > 1e-4 {
			t.Errorf("figure %d of %+v, want %v", i, got, want)
		}
	}
	if got := qualityOf(nil, nil, nil); got.Precision != nil || got.Recall != nil || got.AUC != nil || got.BaseRate != nil {
		t.Errorf("of nothing: %+v", got)
	}
	if got := qualityOf([]bool{false}, []bool{false}, []float64{0}); got.Precision != nil || got.Recall != nil || got.BaseRate == nil {
		t.Errorf("of one negative: %+v", got)
	}
}

func TestCheck(t *testing.T) {
	good := Summary{Events: 3, Decisions: 3, Checkpoints: []Checkpoint{{1, "s3://x"}}}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*Summary){
		"3 events went in, 2 decisions and 0 failed records came out": func(s *Summary) { s.Decisions = 2 },
		"1 decisions came out twice":                                  func(s *Summary) { s.Duplicates = 1 },
		"1 records failed, the first: 7: internal: x":                 func(s *Summary) { s.Decisions, s.Failed, s.firstError = 2, 1, "7: internal: x" },
		"no checkpoint was completed":                                 func(s *Summary) { s.Checkpoints = nil },
	} {
		s := good
		spoil(&s)
		if err := s.check(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The report of an input without labels: exactly the promised keys, and null where nothing can be said.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "out", "part-0"), `{"id":"0","score":0.97,"decision":"alert","label":null,"latency_us":2000}
{"id":"1","score":0.1,"decision":"pass","label":null,"latency_us":1000}
`)
	d := &demo{Options: Options{Via: HTTP, Input: Walkthrough, Events: 2}, job: "abc", watch: &watch{state: flinkrest.Finished, checkpoints: map[int64]string{}}}
	for _, c := range []flinkrest.Checkpoint{
		{ID: 3, Status: "COMPLETED", ExternalPath: "s3://flink/c/chk-3"},
		{ID: 2, Status: "COMPLETED", IsSavepoint: true, ExternalPath: "s3://flink/s"},
		{ID: 1, Status: "COMPLETED", ExternalPath: "s3://flink/c/chk-1"},
		{ID: 3, Status: "COMPLETED", ExternalPath: "s3://flink/c/chk-3", Discarded: true},
		{ID: 4, Status: "IN_PROGRESS"},
	} {
		d.watch.note(c)
	}
	got := newDecisions(filepath.Join(dir, "out"))
	if err := got.read(); err != nil {
		t.Fatal(err)
	}
	s, err := d.summarise(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err != nil {
		t.Error(err)
	}
	path := filepath.Join(dir, "report.json")
	if err := s.write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"via": "http", "events": 2.0, "decisions": 2.0, "alerts": 1.0, "precision": nil, "recall": nil,
		"latency_ms": map[string]any{"p50": 1.0, "p99": 2.0}, "job_state": "FINISHED",
		"checkpoints": []any{
			map[string]any{"id": 1.0, "path": "s3://flink/c/chk-1"},
			map[string]any{"id": 3.0, "path": "s3://flink/c/chk-3"},
		},
	}
	for key, value := range want {
		got, there := report[key]
		if !there || !cmp.Equal(got, value) {
			t.Errorf("%s: got %v (there: %v), want %v", key, got, there, value)
		}
	}
	var table bytes.Buffer
	s.print(&table)
	for _, want := range []string{"this input has no labels", "p50 1 ms, p99 2 ms, as Flink sees it", "s3://flink/c/chk-3", "1, and 0 for review", "--keep"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, &table)
		}
	}
}

func TestJudgedByLabels(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "part-0"), `{"id":"0","score":0.97,"decision":"alert","label":true,"latency_us":1}
{"id":"1","score":0.6,"decision":"review","label":true,"latency_us":1}
{"id":"2","score":0.1,"decision":"pass","label":false,"latency_us":1}
{"id":"3","score":0.99,"decision":"alert","label":null,"latency_us":1}
`)
	got := newDecisions(dir)
	if err := got.read(); err != nil {
		t.Fatal(err)
	}
	var s Summary
	s.judgeLabels(got)
	if s.Judged != 3 || *s.Precision != 1 || *s.Recall != 0.5 || *s.AUC != 1 {
		t.Errorf("got %d: precision %v, recall %v, AUC %v", s.Judged, *s.Precision, *s.Recall, *s.AUC)
	}
}
