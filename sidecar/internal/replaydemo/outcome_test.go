package replaydemo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOutcome(t *testing.T) {
	const first = `{"id":"g42-0","accountId":1,"count":1,"amount":10,"decision":"alert","life":1}
{"id":"g42-1","accountId":1,"count":2,"amount":500,"decision":"pass","life":1}
`
	const good = `{"id":"g42-0","accountId":1,"count":1,"amount":10,"decision":"pass","life":2}
{"id":"g42-2","accountId":1,"count":3,"amount":500,"decision":"alert","life":2}
`
	for _, c := range []struct{ name, second, want string }{
		{"good", good, ""},
		{"wrong by the bad rule", strings.Replace(good, `"pass"`, `"alert"`, 1), "g42-0"},
		{"counted twice", strings.Replace(good, `"count":3`, `"count":4`, 1), "instead of 3 comes 4"},
		{"lost", strings.Replace(good, "g42-2", "g42-3", 1), "g42-3"},
		{"twice", good + good, "decided twice"},
		{"no JSON", "x", "part-1"},
	} {
		folder := t.TempDir()
		for name, text := range map[string]string{"part-0": first, "part-1": c.second, ".part-2.inprogress": "half"} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		o, err := readOutcome(folder)
		if err == nil {
			err = o.check()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if c.want == "" && (o.again != 1 || o.accounts != 1 || o.lastAlerts != 1 || o.lines != 4) {
			t.Errorf("%s: %+v", c.name, o)
		}
	}
	if o, err := readOutcome(filepath.Join(t.TempDir(), "none")); err != nil || o.lines != 0 {
		t.Errorf("%v, %v", o, err)
	}
}
