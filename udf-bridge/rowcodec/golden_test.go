package rowcodec_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

var update = flag.Bool("update", false, "write testdata/golden anew from vectors_test.go")

// vector is one file of testdata/golden: a message that is right, with its rows, or one that is refused, with why.
type vector struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows,omitzero"`
	Hex     string   `json:"hex"`
	Error   string   `json:"error,omitempty"`
}

func columns(t testing.TB, texts []string) []*rowcodec.Type {
	t.Helper()
	var all []*rowcodec.Type
	for _, text := range texts {
		parsed, err := rowcodec.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parsed)
	}
	return all
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}

func read(t testing.TB, file string) vector {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v vector
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

func asJSON(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// golden is what testdata/golden must hold, by file name.
func golden(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	save := func(v vector) {
		text, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		files[v.Name+".json"] = append(text, '\n')
	}
	for _, v := range goodVectors() {
		message, err := rowcodec.Encode(columns(t, v.Columns), v.Rows)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		v.Hex = hex.EncodeToString(message)
		save(v)
	}
	for _, v := range hostileVectors(t) {
		save(v)
	}
	return files
}

// TestGoldenFiles: the files are those that vectors_test.go makes, no more and no less.
func TestGoldenFiles(t *testing.T) {
	const dir = "testdata/golden"
	want := golden(t)
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil || !bytes.Equal(text, want[file.Name()]) {
			t.Errorf("%s is not what vectors_test.go makes (%v); go test -run Golden -update writes it", file.Name(), err)
		}
	}
	if len(files) != len(want) {
		t.Errorf("%d files for %d vectors; go test -run Golden -update writes them", len(files), len(want))
	}
}

// TestGolden reads and writes every vector, and cuts it everywhere.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d vectors, %v; go test -run Golden -update writes them", len(files), err)
	}
	for _, file := range files {
		v := read(t, file)
		t.Run(v.Name, func(t *testing.T) {
			message, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			types := columns(t, v.Columns)
			rows, err := rowcodec.Decode(types, message)
			if v.Error != "" {
				if err == nil || !strings.Contains(err.Error(), v.Error) || !errors.Is(err, rowcodec.ErrMalformed) {
					t.Fatalf("%v, want %q", err, v.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := asJSON(t, rows), asJSON(t, v.Rows); !bytes.Equal(got, want) {
				t.Errorf("decoded %s\nwant %s", got, want)
			}
			written, err := rowcodec.Encode(types, v.Rows)
			if err != nil || !bytes.Equal(written, message) {
				t.Errorf("encoded %x, %v\nwant %x", written, err, message)
			}
			for n := range message {
				if _, err := rowcodec.Decode(types, message[:n]); err == nil {
					t.Fatalf("cut to %d of %d bytes it is still read", n, len(message))
				}
			}
		})
	}
}

// TestDissected is the example of ROWCODEC.md, byte by byte.
func TestDissected(t *testing.T) {
	types := columns(t, []string{"BIGINT NOT NULL", "STRING", "TIMESTAMP(9)", "ARRAY<INT>"})
	message, err := rowcodec.Encode(types, [][]any{{int64(7), "hé", "1970-01-01T00:00:01.000123456", []any{int64(1), nil, int64(3)}}})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := os.ReadFile("ROWCODEC.md")
	if err != nil {
		t.Fatal(err)
	}
	var dissected strings.Builder
	inside := false
	for line := range strings.Lines(string(spec)) {
		switch {
		case strings.HasPrefix(line, "```dissected"):
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside:
			bytes, _, _ := strings.Cut(line, "  ")
			dissected.WriteString(strings.ReplaceAll(bytes, " ", ""))
		}
	}
	if got := hex.EncodeToString(message); got != dissected.String() {
		t.Errorf("the message is\n%s\nthe document says\n%s", got, dissected.String())
	}
}

func TestEncodeRefuses(t *testing.T) {
	tests := []struct {
		column string
		value  any
		want   string
	}{
		{"INT NOT NULL", nil, "NULL in a column that is NOT NULL"},
		{"TINYINT", int64(128), "out of the range of TINYINT"},
		{"INT", "7", "is no INT"},
		{"INT", 1.5, "is no INT"},
		{"DECIMAL(5, 2)", "1000.00", "does not fit DECIMAL(5, 2)"},
		{"DECIMAL(5, 2)", "1.005", "does not fit DECIMAL(5, 2)"},
		{"DECIMAL(5, 2)", "1e2", "is no DECIMAL"},
		{"DECIMAL(5, 2)", "1e999999", "is no DECIMAL"},
		{"DECIMAL(5, 2)", "1/2", "is no DECIMAL"},
		{"DECIMAL(5, 2)", "+1", "is no DECIMAL"},
		{"DECIMAL(5, 2)", "1.", "is no DECIMAL"},
		{"DECIMAL(5, 2)", ".1", "is no DECIMAL"},
		{"DECIMAL(5, 2)", "-", "is no DECIMAL"},
		{"DECIMAL(5, 2)", "", "is no DECIMAL"},
		{"DECIMAL(5, 2)", true, "is no DECIMAL"},
		{"FLOAT", 1e300, "out of the range of FLOAT"},
		{"FLOAT", json.Number("1e300"), "out of range"},
		{"DOUBLE", json.Number("1e999"), "out of range"},
		{"DOUBLE", "1.5", "is no DOUBLE"},
		{"DOUBLE", "inf", "is no DOUBLE"},
		{"BIGINT", json.Number("9223372036854775808"), "out of range"},
		{"BIGINT", float64(1 << 53), "is no BIGINT"},
		{"BOOLEAN", int64(1), "is no BOOLEAN"},
		{"DECIMAL(5, 2)", strings.Repeat("1", 101), "longer than any DECIMAL"},
		{"TIMESTAMP(3)", "2026-11-23T00:00:00.000000001", "does not fit TIMESTAMP(3)"},
		{"TIMESTAMP(0)", "2026-11-23T00:00:00.5", "does not fit TIMESTAMP(0)"},
		{"TIMESTAMP(9)", "2026-11-23T00:00:00.0000000001", "does not fit TIMESTAMP(9)"},
		{"TIMESTAMP(9)", "2026-11-23T00:00:00Z", "is no TIMESTAMP"},
		{"TIMESTAMP(9)", "2026-11-23T00:00:00,5", "is no TIMESTAMP"},
		{"TIMESTAMP(9)", "2026-11-23T00:00:00.", "is no TIMESTAMP"},
		{"TIMESTAMP_LTZ(9)", "2026-11-23T00:00:00.5", "ends with Z"},
		{"DATE", "2026-02-30", "is no DATE"},
		{"DATE", "2026-11-23.5", "is no DATE"},
		{"DATE", int64(0), "is no DATE"},
		{"TIME", "24:00:00", "is no TIME"},
		{"TIME(9)", "12:00:00.0001", "does not fit TIME(3)"},
		{"BYTES", "text", "is no VARBINARY"},
		{"BYTES", map[string]any{"hex": "0"}, "odd length"},
		{"BYTES", map[string]any{"hex": "00", "more": 1}, "is no VARBINARY"},
		{"ARRAY<INT>", "x", "is no ARRAY"},
		{"MAP<STRING, INT>", []any{[]any{nil, int64(1)}}, "the key of entry 0 is NULL"},
		{"MAP<STRING, INT>", []any{"a"}, "entry 0 is not [key, value]"},
		{"ARRAY<INT NOT NULL>", []any{nil}, "NULL where none may be"},
		{"ROW<`a` INT>", []any{}, "0 values for 1 columns"},
	}
	for _, test := range tests {
		_, err := rowcodec.Encode(columns(t, []string{test.column}), [][]any{{test.value}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v as %s: %v, want %q", test.value, test.column, err, test.want)
		}
	}
}
