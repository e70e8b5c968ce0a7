package config

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drey.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines are the errors of a load, without the folder of the file.
func lines(err error, file string) []string {
	if err == nil {
		return nil
	}
	return strings.Split(strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", ""), "\n")
}

func TestDefaultsAreValid(t *testing.T) {
	loaded, err := Load(Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), loaded.Config); diff != "" {
		t.Error(diff)
	}
	for _, s := range loaded.Settings {
		if s.Source != "default" {
			t.Errorf("%s comes from %s", s.Key, s.Source)
		}
	}
}

func TestStrongerSourceWins(t *testing.T) {
	file := write(t, "http:\n  addr: 127.0.0.1:1\n  idle_timeout: 1s\nevaluate:\n  deadline: 2s\n  function_deadlines:\n    fraud: 50ms\ninsecure: true\n")
	loaded, err := Load(Sources{
		File:    file,
		Environ: []string{"PATH=x", "DREY_HTTP_ADDR=127.0.0.1:2", "DREY_EVALUATE_DEADLINE=3s", "DREY_CONFIG=ignored"},
		Flags:   []Flag{{"http-addr", "127.0.0.1:3"}, {"evaluate-admission-max-in-flight", "7"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if loaded.HTTP.Addr != "127.0.0.1:3" || loaded.Evaluate.Deadline != 3*time.Second || loaded.HTTP.IdleTimeout != time.Second ||
		loaded.Evaluate.Admission.MaxInFlight != 7 || loaded.Evaluate.FunctionDeadlines["fraud"] != 50*time.Millisecond || !loaded.Insecure {
		t.Errorf("%+v", loaded.Config)
	}
	want := map[string]string{
		"http.addr": "flag --http-addr", "evaluate.deadline": "env DREY_EVALUATE_DEADLINE",
		"http.idle_timeout": file + ":3", "evaluate.function_deadlines": file + ":7", "grpc.addr": "default",
	}
	for _, s := range loaded.Settings {
		if source, ok := want[s.Key]; ok && source != s.Source {
			t.Errorf("%s comes from %q, want %q", s.Key, s.Source, source)
		}
	}
}

func TestMistakesAreAllNamed(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		environ []string
		want    []string
	}{
		"typo": {
			file: "http:\n  adr: 127.0.0.1:1\nmax_in_flight: 3\ndrain:\n  delay: 5\ngprc: {}\n",
			want: []string{
				"drey.yaml:2: unknown key http.adr; did you mean http.addr?",
				"drey.yaml:3: unknown key max_in_flight; did you mean evaluate.admission.max_in_flight?",
				`drey.yaml:5: drain.delay: "5", must be a duration with a unit, such as 200ms, 5s or 1m30s`,
				"drey.yaml:6: unknown key gprc; did you mean grpc?",
			},
		},
		"environment": {
			environ: []string{"DREY_HTP_ADDR=x", "DREY_EVALUATE_BATCH_MAX_ITEMS=many"},
			want: []string{
				`env DREY_EVALUATE_BATCH_MAX_ITEMS: evaluate.batch.max_items: "many", must be a whole number`,
				"env: unknown variable DREY_HTP_ADDR; did you mean DREY_HTTP_ADDR?",
			},
		},
		"kubernetes makes up variables": {
			environ: []string{"DREY_SIDECAR_SERVICE_HOST=10.0.0.1", "DREY_SERVICE_PORT_HTTP=1", "DREY_PORT=tcp://10.0.0.1:80", "DREY_PORT_8080_TCP_ADDR=10.0.0.1"},
		},
		"wrong shapes": {
			file: "http: 5\ngrpc:\n  addr: [1]\nlog:\n  level:\nevaluate:\n  function_deadlines: 1s\n  deadline: 1s\n  deadline: 2s\n",
			want: []string{
				"drey.yaml:1: http must be a mapping of keys to values",
				"drey.yaml:3: grpc.addr must be a string",
				"drey.yaml:5: log.level has no value",
				"drey.yaml:7: evaluate.function_deadlines must be a mapping of names to durations",
				"drey.yaml:9: key evaluate.deadline stands twice, first in line 8",
			},
		},
		"values that cannot work": {
			file: "http:\n  addr: 0.0.0.0:80\n  tls:\n    cert_file: x\ngrpc:\n  addr: :9090\nadmin:\n  addr: nowhere\nlog:\n  level: loud\nevaluate:\n  admission:\n    max_in_flight: 0\n  deadline: 2m\n",
			want: []string{
				`drey.yaml:8: admin.addr: "nowhere" is neither host:port nor unix:/path`,
				"drey.yaml:13: evaluate.admission.max_in_flight: 0, must be at least 1",
				"drey.yaml:6: grpc.addr: :9090 can be reached from other machines and has no TLS: set grpc.tls.cert_file and grpc.tls.key_file, use 127.0.0.1 or unix:/path, or say --insecure if the network is trusted",
				"drey.yaml:4: http.tls: cert_file and key_file go together, one of them is missing",
				"default: http.write_timeout: 1m0s, must be longer than the longest deadline of a function (2m0s), or its answer cannot be sent",
				`drey.yaml:10: log.level: "loud", must be one of debug, info, warn, error`,
			},
		},
		"not YAML":      {file: "http: [", want: []string{"*did not find"}},
		"two documents": {file: "insecure: true\n---\ninsecure: false\n", want: []string{"drey.yaml: more than one YAML document"}},
		"empty":         {file: "# nothing\n"},
		"empty section": {file: "http:\n  # addr: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, c.file)
			_, err := Load(Sources{File: file, Environ: c.environ})
			got := lines(err, file)
			if len(c.want) == 1 && strings.HasPrefix(c.want[0], "*") {
				if len(got) != 1 || !strings.HasPrefix(got[0], "drey.yaml: ") {
					t.Errorf("got %q", got)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load(Sources{File: "nowhere.yaml"})
	if err == nil || err.Error() != "config nowhere.yaml: no such file; `drey config check` shows what applies without one" {
		t.Error(err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, k := range Keys() {
		for _, name := range []string{k.Flag(), k.Env()} {
			if other, twice := seen[name]; twice {
				t.Errorf("%s is %s and %s", name, other, k.Path)
			}
			seen[name] = k.Path
		}
		if k.Doc == "" {
			t.Errorf("%s has no doc", k.Path)
		}
	}
}

func TestValuesReadBack(t *testing.T) {
	c := Default()
	c.Evaluate.FunctionDeadlines = map[string]time.Duration{"b": time.Hour, "a": 1500 * time.Millisecond}
	c.Functions.Parameters = map[string]string{"b": "x=1,y", "a": `C:\,`, "empty": ""}
	for _, k := range Keys() {
		var again Config
		if err := k.set(&again, k.text(&c)); err != nil {
			t.Errorf("%s: %v", k.Path, err)
		}
		if got, want := k.text(&again), k.text(&c); got != want {
			t.Errorf("%s: %q became %q", k.Path, want, got)
		}
	}
}

func TestDigestIsOfValuesOnly(t *testing.T) {
	load := func(flags ...Flag) string {
		l, err := Load(Sources{Flags: flags})
		if err != nil {
			t.Fatal(err)
		}
		return l.Digest()
	}
	if load() != load(Flag{"log-level", "info"}) {
		t.Error("the same values from another source must have the same digest")
	}
	if load() == load(Flag{"log-level", "warn"}) {
		t.Error("other values must have another digest")
	}
}

func TestSchemaIsGolden(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "schema.json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the schema changed; if that is meant, run go test with -update\n%s", diff)
	}
	if !json.Valid(got) {
		t.Error("not JSON")
	}
}

func TestFunctionParameters(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drey.yaml")
	if err := os.WriteFile(file, []byte("functions:\n  parameters: {region: eu, limit: 010, list: \"a,b\", none: \"\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Load(Sources{File: file})
	want := map[string]string{"region": "eu", "limit": "010", "list": "a,b", "none": ""}
	if err != nil || !maps.Equal(l.Functions.Parameters, want) {
		t.Errorf("file: got %v, %v", l.Functions.Parameters, err)
	}
	l, err = Load(Sources{File: file, Environ: []string{`DREY_FUNCTIONS_PARAMETERS=region=us,list=a\,b,path=C:\\x`}})
	want = map[string]string{"region": "us", "list": "a,b", "path": `C:\x`}
	if err != nil || !maps.Equal(l.Functions.Parameters, want) {
		t.Errorf("environment: got %v, %v", l.Functions.Parameters, err)
	}
	for text, want := range map[string]string{
		"region": "must be pairs", "=x": "must be pairs", "a=1,": "must be pairs", "a=1,a=2": "has a twice", `a=\n`: "a backslash must", `a=\`: "a backslash must",
	} {
		if _, err := Load(Sources{Flags: []Flag{{"functions-parameters", text}}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"functions: {parameters: [a]}": "must be a mapping", "functions: {parameters: {a: [1]}}": "functions.parameters.a must be one value",
		"functions: {parameters: {a: }}": "functions.parameters.a must be one value", "functions: {parameters: {a: 1, a: 2}}": "stands twice",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Sources{File: file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("http:\n  addr: 127.0.0.1:1\n")
	f.Add("a: &a\n  b: *a\nhttp: *a\n")
	f.Add("<<: {http: 1}\n? [1]\n: 2\n")
	f.Add("evaluate: {function_deadlines: {a: [1], b: &x 1s, c: *x}}")
	f.Add("watch: {jobs: [a, &b c, *b, [d], {}], s3: {secret_key: x}, flink: a}")
	f.Fuzz(func(t *testing.T, text string) {
		l := loader{config: Default(), keys: Keys(), sources: map[string]string{}}
		l.yaml("f.yaml", []byte(text))
		if len(l.errs) == 0 {
			_ = l.validate()
		}
	})
}

func TestLists(t *testing.T) {
	file := write(t, "watch:\n  flink: [http://a:8081, \"http://b:8081\"]\n  jobs: \"one, two\"\n  dir: /x\n")
	l, err := Load(Sources{File: file, Environ: []string{`DREY_WATCH_OPERATORS=a\,b,c`}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"http://a:8081", "http://b:8081"}, {"one, two"}, {"a,b", "c"}}, [][]string{l.Watch.Flink, l.Watch.Jobs, l.Watch.Operators}); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"watch: {jobs: {a: b}}": "watch.jobs must be a list of values", "watch: {jobs: [[a]]}": "watch.jobs must be a list of values",
		"watch: {jobs: }": "watch.jobs has no value", "watch: {jobs: [a, ]}": "", "watch: {jobs: [~]}": "watch.jobs must be a list of values",
	} {
		_, err := Load(Sources{File: write(t, text)})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if _, err := Load(Sources{Flags: []Flag{{"watch-jobs", `a\n`}}}); err == nil || !strings.Contains(err.Error(), "a backslash must") {
		t.Errorf("got %v", err)
	}
}

// A secret is taken from the file and the environment, and shown nowhere.
func TestSecrets(t *testing.T) {
	l, err := Load(Sources{
		File: write(t, "watch:\n  s3:\n    access_key: mine\n    secret_key: geheim\n"), Environ: []string{"DREY_WATCH_S3_SESSION_TOKEN=geheim-2"},
	})
	if err != nil || l.Watch.S3.SecretKey != "geheim" || l.Watch.S3.SessionToken != "geheim-2" {
		t.Fatalf("%+v, %v", l.Watch.S3, err)
	}
	for _, s := range l.Settings {
		if strings.Contains(s.Value, "geheim") {
			t.Errorf("%s shows %q", s.Key, s.Value)
		}
		if s.Key == "watch.s3.secret_key" && (s.Value != "(hidden)" || !strings.HasSuffix(s.Source, ":4")) {
			t.Errorf("%+v", s)
		}
	}
	if _, err := Load(Sources{Flags: []Flag{{"watch-s3-secret-key", "x"}}}); err == nil || !strings.Contains(err.Error(), "unknown flag") {
		t.Errorf("a secret on the command line: %v", err)
	}
	schema, err := Schema()
	if err != nil || strings.Contains(string(schema), "--watch-s3-secret-key") || !strings.Contains(string(schema), "DREY_WATCH_S3_SECRET_KEY") {
		t.Errorf("the schema names a flag, or no variable: %v", err)
	}
}

func TestWatchMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"flink: [\"http://x\"]":                                                               "watch.dir: is empty, and so is data_dir",
		"flink: [jobmanager:8081], dir: x":                                                    `watch.flink: "jobmanager:8081", must be like http://host:8081`,
		"flink: [\"ftp://x\"], dir: x":                                                        "must be like http://host:8081",
		"flink: [\"http://me:geheim@x\"], dir: x":                                             "http://me:xxxxx@x",
		"flink: [\"http://x\"], dir: x, interval: 1ms":                                        "watch.interval: 1ms, must be at least",
		"flink: [\"http://x\"], dir: x, retain: 0":                                            "watch.retain: 0",
		"flink: [\"http://x\"], dir: x, requests: 0":                                          "watch.requests: 0",
		"flink: [\"http://x\"], dir: x, jobs: [\"\"]":                                         "watch.jobs: has an empty entry",
		"flink_tls: {cert_file: a}":                                                           "watch.flink_tls: cert_file and key_file go together",
		"flink: [\"http://x\"], dir: x, flink_tls: {ca_file: a}":                              "no URL of flink begins with https://",
		"flink: [\"https://x\"], dir: x, flink_tls: {server_name: a, verify_hostname: false}": "server_name is not looked at",
		"lease: {object: x}":                                                                  "watch.lease.object",
		"lease: {ttl: 1s}":                                                                    "watch.lease.ttl: 1s, must be at least",
		"allow: [flink]":                                                                      `watch.allow: "flink": `,
		"map: [\"s3://flink\"]":                                                               "write s3://bucket=/folder",
		"s3: {endpoint: here}":                                                                "watch.s3.endpoint: ",
		"s3: {access_key: a}":                                                                 "give both or none",
	} {
		_, err := Load(Sources{File: write(t, "watch: {"+text+"}")})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
