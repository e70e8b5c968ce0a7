package cluster

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The client's standard output may be cut anywhere.
func TestWatchFor(t *testing.T) {
	for _, c := range []struct {
		parts []string
		want  bool
	}{
		{[]string{"all is well", "", "[ERRO", "]"}, false},
		{[]string{"+1 row\n\x1b[31;1m[ERROR] Could not"}, true},
		{[]string{"x[ER", "R", "OR] y", "z"}, true},
		{[]string{"[ERROR]", " "}, true},
	} {
		var to bytes.Buffer
		w := &watchFor{text: []byte("[ERROR] "), to: &to}
		for _, part := range c.parts {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if w.seen != c.want || to.String() != strings.Join(c.parts, "") {
			t.Errorf("%q: seen %v, passed on %q", c.parts, w.seen, &to)
		}
	}
}

func TestSQLClientArguments(t *testing.T) {
	typed := sqlClient("/home", "/dir", SQLSession{Jars: []string{"/a.jar", "/b.jar"}, Config: map[string]string{"b": "2", "a": "1"}})
	end := typed[slices.Index(typed, "embedded"):]
	if want := []string{"embedded", "--history", "/dir/sql-history", "--jar", "/a.jar", "--jar", "/b.jar", "-D", "a=1", "-D", "b=2"}; !slices.Equal(end, want) {
		t.Errorf("got %q", end)
	}
	if classes := typed[slices.Index(typed, "-cp")+1]; classes != "/home/lib/*:/dir/lib/*:/home/opt/*" {
		t.Errorf("class path %s", classes)
	}
	file := sqlClient("/home", "/dir", SQLSession{File: "/x.sql"})
	if got := strings.Join(file[len(file)-4:], " "); got != "-D sql-client.execution.result-mode=TABLEAU --file /x.sql" {
		t.Errorf("got %s", got)
	}
}

// A session on the real cluster: a statement is answered; of a file, the first that fails is an error and ends it.
func TestSQLSession(t *testing.T) {
	needFlink(t)
	dir := t.TempDir()
	c, _, err := Up(t.Context(), Options{Dir: dir, Slots: 1, AnyPorts: true, Tied: true, Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := Down(context.Background(), dir); err != nil {
			t.Error(err)
		}
	})
	for statements, want := range map[string]struct {
		shows []string
		fails bool
	}{
		"SELECT 41 + 1;": {[]string{"42", "1 row"}, false},
		"SHOW MODULES;\nSELECT nope;\nSHOW CATALOGS;": {[]string{"core", "[ERROR]", "nope"}, true},
	} {
		file := filepath.Join(t.TempDir(), "x.sql")
		if err := os.WriteFile(file, []byte(statements), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, log bytes.Buffer
		err := c.RunSQL(t.Context(), SQLSession{File: file, Stdout: &out, Stderr: &log})
		if (err != nil) != want.fails || log.Len() > 0 {
			t.Errorf("%s: %v\n%s", statements, err, &log)
		}
		for _, text := range want.shows {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s: no %q in\n%s", statements, text, &out)
			}
		}
		if strings.Contains(out.String(), "default_catalog") {
			t.Errorf("%s: went on after a failure", statements)
		}
	}
}
