package rowcodec_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

var update = flag.Bool("update", false, "write testdata/golden anew from vectors_test.go")

// vector is one file of testdata/golden: a message that is right, with its rows, or one that is refused, with why.
type vector struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows,omitempty"`
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

func TestGolden(t *testing.T) {
	if *update {
		write(t)
	}
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

func write(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll("testdata/golden"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata/golden", 0o755); err != nil {
		t.Fatal(err)
	}
	save := func(v vector) {
		text, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("testdata/golden", v.Name+".json"), append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
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

func TestParseType(t *testing.T) {
	good := map[string]rowcodec.Type{
		"BIGINT NOT NULL":                          {Root: rowcodec.BigInt},
		"VARCHAR(2147483647)":                      {Root: rowcodec.VarChar, Nullable: true},
		"DECIMAL(38, 18) NOT NULL":                 {Root: rowcodec.Decimal, Precision: 38, Scale: 18},
		"TIMESTAMP(9) WITH LOCAL TIME ZONE":        {Root: rowcodec.TimestampLTZ, Precision: 9, Nullable: true},
		"TIMESTAMP(3)":                             {Root: rowcodec.Timestamp, Precision: 3, Nullable: true},
		"INTERVAL DAY(9) TO SECOND(3) NOT NULL":    {Root: rowcodec.Millis},
		"INTERVAL YEAR(4) TO MONTH":                {Root: rowcodec.Months, Nullable: true},
		"ROW<`a``b` INT NOT NULL 'a comment'>":     {Root: rowcodec.Row, Nullable: true, Names: []string{"a`b"}, Fields: []*rowcodec.Type{{Root: rowcodec.Int}}},
		"MAP<STRING NOT NULL, ARRAY<INT>>NOT NULL": {Root: rowcodec.Map, Key: &rowcodec.Type{Root: rowcodec.VarChar}, Element: &rowcodec.Type{Root: rowcodec.Array, Nullable: true, Element: &rowcodec.Type{Root: rowcodec.Int, Nullable: true}}},
	}
	for text, want := range good {
		if got, err := rowcodec.ParseType(text); err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "VARIANT", "DECIMAL(39, 0)", "DECIMAL(3, 4)", "TIMESTAMP(10)", "ARRAY<", "ARRAY<INT", "MAP<INT>", "ROW<INT>", "ROW<`a INT>",
		"INT INT", "CHAR(", "INTERVAL DAY TO MONTH", strings.Repeat("ARRAY<", 100) + "INT" + strings.Repeat(">", 100),
	} {
		if got, err := rowcodec.ParseType(text); err == nil {
			t.Errorf("%s is read as %+v", text, got)
		}
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
		{"DECIMAL(5, 2)", "1e2", "is no number"},
		{"DECIMAL(5, 2)", "1/2", "is no number"},
		{"DECIMAL(5, 2)", strings.Repeat("1", 101), "longer than any DECIMAL"},
		{"TIMESTAMP(3)", "2026-11-23T00:00:00.000000001", "does not fit TIMESTAMP(3)"},
		{"DATE", "2026-02-30", "is no DATE"},
		{"TIME", "24:00:00", "is no TIME"},
		{"BYTES", "text", "is no VARBINARY"},
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

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		v := read(f, file)
		message, err := hex.DecodeString(v.Hex)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.Join(v.Columns, "|"), message)
	}
	f.Fuzz(func(t *testing.T, texts string, message []byte) {
		var types []*rowcodec.Type
		for _, text := range strings.Split(texts, "|") {
			parsed, err := rowcodec.ParseType(text)
			if err != nil {
				return
			}
			types = append(types, parsed)
		}
		rows, err := rowcodec.Decode(types, message)
		if err != nil {
			if !errors.Is(err, rowcodec.ErrMalformed) {
				t.Fatalf("%v is not ErrMalformed", err)
			}
			return
		}
		// What was read can be written, unless a time is beyond what a text can say, and reads the same again.
		again, err := rowcodec.Encode(types, rows)
		if err != nil {
			return
		}
		if len(again) > 2*len(message)+len(types)*16+64 {
			// Values may share bytes in a message; each is written once for each of them, but shared bytes are not made up.
			t.Skip("values share bytes")
		}
		reread, err := rowcodec.Decode(types, again)
		if err != nil || !bytes.Equal(asJSON(t, rows), asJSON(t, reread)) {
			t.Fatalf("%s\nread again %s, %v", asJSON(t, rows), asJSON(t, reread), err)
		}
	})
}

// TestMemory: a message that claims much must not cost much.
func TestMemory(t *testing.T) {
	types := columns(t, []string{"ARRAY<BOOLEAN>"})
	for _, claim := range []uint32{1 << 20, 1 << 28, 1<<32 - 1} {
		message, err := rowcodec.Encode(types, [][]any{{[]any{true}}})
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint32(message[8+4+16:], claim)
		before := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rowcodec.Decode(types, message); err == nil {
					b.Fatal("it is read")
				}
			}
		})
		if n := before.AllocedBytesPerOp(); n > 4096 {
			t.Errorf("an array that claims %d elements costs %d bytes", claim, n)
		}
	}
}
