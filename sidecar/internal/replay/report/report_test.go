package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b   string
		ignore []string
		want   bool
	}{
		{`{"a":1,"b":[1.0,2]}`, `{"b":[1,2e0],"a":1.0}`, nil, true},
		{`{"a":1}`, `{"a":2}`, nil, false},
		{`{"a":1,"v":"x"}`, `{"v":"y","a":1}`, []string{"v"}, true},
		{`{"a":1,"v":"x"}`, `{"a":1}`, []string{"v"}, true},
		{`{"a":{"v":1}}`, `{"a":{"v":2}}`, []string{"v"}, false},
		{`[1]`, `[1.0]`, []string{"v"}, true},
		{`"x"`, `"\u0078"`, nil, true},
		{`not JSON`, `not JSON`, nil, true},
		{`not JSON`, `neither`, nil, false},
		{``, `{}`, nil, false},
	} {
		if got := Same([]byte(c.a), []byte(c.b), c.ignore); got != c.want {
			t.Errorf("%s and %s but %v: %t", c.a, c.b, c.ignore, got)
		}
	}
}

func TestBuilderAndPage(t *testing.T) {
	from := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	r := &Report{Job: "job", CheckpointID: 7, Build: "now", Made: from, Guarantee: "checkpointed", Ignored: []string{"version"}}
	b := NewBuilder(r, 3, from, from.Add(time.Minute))
	for i := range 10 {
		seq := uint64(10 - i) // as several workers find them
		then, now := `{"decision":"pass"}`, `{"decision":"<script>alert(1)</script>"}`
		if seq%2 == 0 {
			now = then
		}
		b.Add(&Difference{
			Seq: seq, ID: fmt.Sprint("id", seq), Time: from.Add(time.Duration(seq) * time.Second), Function: "f", Build: "then", Input: []byte(`{"x":1}`),
			Then: Decided{Result: []byte(then), Outcome: Outcome([]byte(then), "")}, Now: Decided{Result: []byte(now), Outcome: Outcome([]byte(now), "")},
		}, now == then, false)
	}
	b.Skip("masked")
	if r.Decisions != 10 || r.Same != 5 || r.Different != 5 || len(r.Differences) != 3 || r.Differences[0].Seq != 1 || r.Differences[2].Seq != 5 || r.Builds["then"] != 10 {
		t.Errorf("%+v", r)
	}
	if m := r.Functions["f"].Outcomes["pass"]; m["pass"] != 5 || len(m) != 2 {
		t.Errorf("%v", m)
	}
	var same, different int64
	for _, bucket := range r.Timeline {
		same, different = same+bucket.Same, different+bucket.Different
	}
	if same != 5 || different != 5 {
		t.Errorf("%d and %d in the timeline", same, different)
	}
	var page bytes.Buffer
	if err := WriteHTML(&page, r); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	if strings.Contains(text, "<script>") || !strings.Contains(text, "&lt;script&gt;") || !strings.Contains(text, "id5") || strings.Contains(text, "id7") || !strings.Contains(text, "<svg") {
		t.Error(text)
	}
	if strings.Contains(text, "ZgotmplZ") {
		t.Error("the template holds back a value")
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(encoded, &again); err != nil || again.Different != r.Different || len(again.Differences) != 3 {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestOutcome(t *testing.T) {
	for result, want := range map[string]string{
		`{"score":{"decision":"no"},"decision":"stop"}`: "stop", `{"decision":1}`: "a result", `{}`: "a result", `[`: "a result", `{"decision":`: "a result",
	} {
		if got := Outcome([]byte(result), ""); got != want {
			t.Errorf("%s: %s", result, got)
		}
	}
	if got := Outcome(nil, "function_error"); got != "error function_error" {
		t.Error(got)
	}
}
