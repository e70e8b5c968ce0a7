package builder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProfile(t *testing.T) {
	dir := t.TempDir()
	with := func(name string) listed {
		p := listed{Dir: filepath.Join(dir, name)}
		if err := os.Mkdir(p.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.Dir, "default.pgo"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	fraud, geo, plain := with("fraud"), with("geo"), listed{Dir: dir}
	fraudProfile := filepath.Join(fraud.Dir, "default.pgo")
	for name, c := range map[string]struct {
		choice   string
		packages []listed
		want     string
		err      string
	}{
		"none there":       {"auto", []listed{plain}, "", ""},
		"one there":        {"auto", []listed{plain, fraud}, fraudProfile, ""},
		"the same by zero": {"", []listed{fraud}, fraudProfile, ""},
		"two":              {"auto", []listed{fraud, geo}, "", "merge them"},
		"two, off":         {"off", []listed{fraud, geo}, "", ""},
		"two, one chosen":  {"fraud/default.pgo", []listed{fraud, geo}, fraudProfile, ""},
		"absolute":         {fraudProfile, []listed{geo}, fraudProfile, ""},
		"not there":        {"other.pgo", []listed{fraud}, "", "no profile at " + filepath.Join(dir, "other.pgo")},
		"a folder":         {"geo", []listed{fraud}, "", "no profile at"},
	} {
		got, err := profile(dir, c.choice, c.packages)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %q, %v; want %q, %q", name, got, err, c.want, c.err)
		}
	}
}
