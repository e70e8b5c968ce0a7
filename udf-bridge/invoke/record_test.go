package invoke

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRecordIsBoundedAndUTF8(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("x", 1<<16), strings.Repeat("\xff", 1<<16), strings.Repeat("a\xff", 1<<16), strings.Repeat("\u00e9", 1<<16), "",
	} {
		err := errors.New(text)
		for range 20 {
			err = fmt.Errorf("%s: %w", text, err)
		}
		f := failureOf(text, err)
		for range maxFrames {
			f.frames = append(f.frames, text)
		}
		record := f.append(nil)
		if len(record) > ErrorMax {
			t.Errorf("%.8q: %d bytes", text, len(record))
		}
		m, parseErr := parseStringMap(record)
		if parseErr != nil || len(f.chain) > maxLinks {
			t.Errorf("%.8q: %v, %d links", text, parseErr, len(f.chain))
		}
		if len(text) > maxMessage && !strings.HasSuffix(m["message"], "...") {
			t.Errorf("%.8q: does not show that it is cut: %q", text, m["message"][len(m["message"])-8:])
		}
	}
}

func FuzzClip(f *testing.F) {
	f.Add("h\u00e9llo", 3)
	f.Add("\xffabc", 4)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = max(3, n%1000)
		got := clip(text, n)
		if len(got) > n || !utf8.ValidString(got) {
			t.Errorf("clip(%q, %d) = %q", text, n, got)
		}
		if utf8.ValidString(text) && len(text) <= n && got != text {
			t.Errorf("%q fits in %d and became %q", text, n, got)
		}
	})
}

func FuzzStringMap(f *testing.F) {
	f.Add(request())
	f.Add(request("function", "f", "", "\u00e9"))
	f.Add([]byte{255, 255, 255, 255, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 1, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseStringMap(data)
		if err != nil {
			return
		}
		var pairs []pair
		for key, value := range m {
			if !utf8.ValidString(key) || !utf8.ValidString(value) {
				t.Errorf("%q: %q is not UTF-8", key, value)
			}
			pairs = append(pairs, pair{key, value})
		}
		again, err := parseStringMap(appendStringMap(nil, pairs))
		if err != nil || len(again) != len(m) {
			t.Errorf("%v became %v, %v", m, again, err)
		}
	})
}

func TestRecordOfASmallBufferIsStillARecord(t *testing.T) {
	out := make([]byte, 256)
	n := putRecord(out, internalFailure("f", "%s", strings.Repeat("long ", 1000)))
	if r := record(t, out, n); r["kind"] != kindInternal || !strings.HasPrefix(r["message"], "long ") {
		t.Errorf("record: %v", r)
	}
}

// keepRuntime puts back what Init sets of the whole process.
func keepRuntime(t *testing.T) {
	procs, limit, gogc := runtime.GOMAXPROCS(0), debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(procs)
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(gogc)
		if err := debug.SetCrashOutput(nil, debug.CrashOptions{}); err != nil {
			t.Error(err)
		}
	})
}

func TestInitSetsTheRuntimeOnce(t *testing.T) {
	keepRuntime(t)
	crash := filepath.Join(t.TempDir(), "crash.log")
	l, out := faultLibrary(), make([]byte, ErrorMax)
	n := l.Init(request("gomaxprocs", "3", "memory_limit", "1073741824", "gogc", "200", "crash_file", crash), out)
	if n < 0 {
		t.Fatalf("init: %v", record(t, out, n))
	}
	effective, err := parseStringMap(out[:n])
	if err != nil || effective["gomaxprocs"] != "3" || effective["memory_limit"] != "1073741824" || effective["gogc"] != "200" ||
		effective["crash_file"] != crash || effective["go_version"] != runtime.Version() {
		t.Errorf("in force: %v, %v", effective, err)
	}
	if got := debug.SetGCPercent(100); got != 200 {
		t.Errorf("GOGC %d", got)
	}
	if _, err := os.Stat(crash); err != nil {
		t.Error(err)
	}
	again := l.Init(request("gomaxprocs", "1"), out)
	if again != n || runtime.GOMAXPROCS(0) != 3 {
		t.Errorf("a second init changed something: %d bytes, GOMAXPROCS %d", again, runtime.GOMAXPROCS(0))
	}
}

func TestInitRefusesWhatIsNoSetting(t *testing.T) {
	out := make([]byte, ErrorMax)
	for key, value := range map[string]string{
		"gomaxprocs": "many", "memory_limit": "-1", "gogc": "0%", "crash_file": filepath.Join(t.TempDir(), "none", "crash.log"),
	} {
		l := faultLibrary()
		if r := record(t, out, l.Init(request(key, value), out)); !strings.Contains(r["message"], strings.ReplaceAll(key, "_file", " file")) {
			t.Errorf("%s=%s: %v", key, value, r)
		}
	}
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		t.Error("a refused setting came into force")
	}
}

// One job's mistake is not the end of all functions of the process.
func TestInitAfterOneThatFailed(t *testing.T) {
	keepRuntime(t)
	l, out := faultLibrary(), make([]byte, ErrorMax)
	record(t, out, l.Init(request("gomaxprocs", "1", "gogc", "many"), out))
	record(t, out, l.Init(request("gomaxprocs", "1", "crash_file", filepath.Join(t.TempDir(), "none", "crash.log")), out))
	n := l.Init(request("gomaxprocs", "3"), out)
	if n < 0 {
		t.Fatalf("init: %v", record(t, out, n))
	}
	if effective, err := parseStringMap(out[:n]); err != nil || effective["gomaxprocs"] != "3" || effective["gogc"] != "" {
		t.Errorf("in force: %v, %v", effective, err)
	}
}

func TestCrashFileThatNobodyAskedFor(t *testing.T) {
	keepRuntime(t)
	out := make([]byte, ErrorMax)
	folder := t.TempDir()
	asked, offered := filepath.Join(folder, "asked.log"), filepath.Join(folder, "offered.log")
	for _, c := range []struct {
		want     string
		settings []string
	}{
		{"", []string{"crash_file_if_possible", filepath.Join(folder, "none", "crash.log")}},
		{offered, []string{"crash_file_if_possible", offered}},
		{asked, []string{"crash_file", asked, "crash_file_if_possible", offered}},
	} {
		n := faultLibrary().Init(request(c.settings...), out)
		if n < 0 {
			t.Errorf("%v: %v", c.settings, record(t, out, n))
			continue
		}
		if effective, err := parseStringMap(out[:n]); err != nil || effective["crash_file"] != c.want {
			t.Errorf("%v: %v, %v", c.settings, effective, err)
		}
	}
}

func TestStatsCount(t *testing.T) {
	l := faultLibrary()
	good, bad := open(t, l, "plus_one"), open(t, l, "panic_with_value")
	for n := range int64(5) {
		fixed(l, good, n)
		fixed(l, bad, n)
	}
	open(t, l, "plus_one")
	out := make([]byte, 8)
	n := l.Stats(out)
	if n >= -8 {
		t.Fatalf("a buffer that is too small: %d", n)
	}
	out = make([]byte, 2*-n)
	var stats struct {
		Functions map[string]functionStats
		Runtime   runtimeStats
	}
	if n = l.Stats(out); n < 0 || json.Unmarshal(out[:n], &stats) != nil {
		t.Fatalf("%d: %s", n, out)
	}
	if got := stats.Functions["plus_one"]; got != (functionStats{Open: 2, Calls: 5}) {
		t.Errorf("plus_one: %+v", got)
	}
	if got := stats.Functions["panic_with_value"]; got != (functionStats{Open: 1, Calls: 5, Errors: 1, Panics: 1}) {
		t.Errorf("panic_with_value: %+v", got)
	}
	if r := stats.Runtime; r.GOMAXPROCS < 1 || r.Goroutines < 1 || r.HeapBytes == 0 || r.TotalBytes < r.HeapBytes || r.PID != os.Getpid() {
		t.Errorf("runtime: %+v", r)
	}
}

func TestDescribeListsTheFunctions(t *testing.T) {
	l := faultLibrary()
	n := l.Describe(nil)
	out := make([]byte, -n)
	var described struct{ Functions []struct{ Name, Kind string } }
	if got := l.Describe(out); got != -n || json.Unmarshal(out, &described) != nil {
		t.Fatalf("%d then %d: %s", n, got, out)
	}
	kinds := map[string]string{}
	for _, f := range described.Functions {
		kinds[f.Name] = f.Kind
	}
	if kinds["plus_one"] != "SCALAR" || kinds["process_json"] != "JSON" || kinds["repeat"] != "RAW" {
		t.Errorf("kinds: %v", kinds)
	}
}
