package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Only committed files count, each once, however often the folder is read; alerts are written a second time elsewhere.
func TestDecisions(t *testing.T) {
	dir := t.TempDir()
	d := newDecisions(dir)
	if err := d.read(); err != nil || d.total() != 0 { // the job has written nothing yet
		t.Fatal(d.total(), err)
	}
	write(t, filepath.Join(dir, "part-a-0"), `{"id":"1","score":0.9,"decision":"alert","label":true,"latency_us":10,"a_new_key":[1]}
{"id":"2","score":0.1,"decision":"pass","label":null,"latency_us":20}
`)
	write(t, filepath.Join(dir, ".part-a-1.inprogress.1"), `{"id":"3"`)
	write(t, filepath.Join(dir, "_tmp"), "x")
	write(t, filepath.Join(dir, "alerts", "part-b-0"), `{"id":"1","score":0.9,"decision":"alert"}`)
	for range 2 {
		if err := d.read(); err != nil {
			t.Fatal(err)
		}
	}
	if d.lines != 2 || d.failed != 0 || len(d.duplicates) != 0 {
		t.Errorf("got %+v", d)
	}
	if one := d.byID["1"]; one.Label == nil || !*one.Label || *one.Score != 0.9 || one.LatencyUS != 10 {
		t.Errorf("got %+v", one)
	}
	write(t, filepath.Join(dir, "part-a-1"), `{"id":"2","score":0.1,"decision":"pass","latency_us":20}`)
	write(t, filepath.Join(dir, "errors", "part-c-0"), `{"id":"7","code":"invalid_event","error":"amount is missing"}
{"id":"8","code":"internal","error":"x"}
`)
	if err := d.read(); err != nil {
		t.Fatal(err)
	}
	if d.lines != 3 || d.total() != 5 || len(d.duplicates) != 1 || d.duplicates[0] != "2" || d.firstError != "7: invalid_event: amount is missing" {
		t.Errorf("got %+v", d)
	}
}

// The digest knows nothing of the order, nor of who waited how long; and of each decision everything.
func TestDigest(t *testing.T) {
	digest := func(lines ...string) string {
		t.Helper()
		dir := t.TempDir()
		for i, line := range lines {
			write(t, filepath.Join(dir, fmt.Sprint("part-", i)), line+"\n")
		}
		d := newDecisions(dir)
		if err := d.read(); err != nil {
			t.Fatal(err)
		}
		return d.digest()
	}
	one, two := `{"id":"1","score":0.9,"decision":"alert","reasons":["a","b"],"latency_us":10}`, `{"id":"2","score":0.1,"decision":"pass","reasons":[],"latency_us":20}`
	want := digest(one, two)
	if got := digest(two, strings.Replace(one, `"latency_us":10`, `"latency_us":0.25,"attempts":3`, 1)); got != want {
		t.Error("the same decisions have another digest")
	}
	for old, new := range map[string]string{
		`"id":"1"`: `"id":"3"`, "0.9": "0.9000000000000001", "alert": "review", `"a","b"`: `"b","a"`,
	} {
		if digest(strings.Replace(one, old, new, 1), two) == want {
			t.Errorf("%s instead of %s has the same digest", new, old)
		}
	}
	if digest(one) == want {
		t.Error("a decision less has the same digest")
	}
}

func TestDecisionsThatAreNone(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "part-0"), "{\"id\":\"1\"}\nnot json\n")
	err := newDecisions(dir).read()
	if err == nil || !strings.Contains(err.Error(), "line 2 of") || !strings.Contains(err.Error(), "part-0") {
		t.Errorf("got %v", err)
	}
}
