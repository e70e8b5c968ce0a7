package rowcodec_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

// FuzzDecode asserts that no bytes panic, that they are refused in one way, and that what was read is written so that it reads
// the same.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		v := read(f, file)
		f.Add(strings.Join(v.Columns, "|"), unhex(f, v.Hex))
	}
	f.Fuzz(func(t *testing.T, texts string, message []byte) {
		types, ok := parse(texts)
		if !ok {
			return
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
		reread, err := rowcodec.Decode(types, again)
		if err != nil || !bytes.Equal(asJSON(t, rows), asJSON(t, reread)) {
			t.Fatalf("%s\nread again %s, %v", asJSON(t, rows), asJSON(t, reread), err)
		}
	})
}

// FuzzEncode asserts that no JSON panics, and that what was written is read, and written the same again.
func FuzzEncode(f *testing.F) {
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if v := read(f, file); v.Error == "" {
			f.Add(strings.Join(v.Columns, "|"), asJSON(f, v.Rows))
		}
	}
	f.Add("DECIMAL(38, 0)|DOUBLE|FLOAT", []byte(`[["1e999999", "0x1p-2", 1e300]]`))
	f.Fuzz(func(t *testing.T, texts string, values []byte) {
		types, ok := parse(texts)
		if !ok {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(values))
		dec.UseNumber()
		var rows [][]any
		if err := dec.Decode(&rows); err != nil {
			return
		}
		message, err := rowcodec.Encode(types, rows)
		if err != nil {
			return
		}
		read, err := rowcodec.Decode(types, message)
		if err != nil {
			t.Fatalf("%s is written as %x, which is refused: %v", values, message, err)
		}
		again, err := rowcodec.Encode(types, read)
		if err != nil || !bytes.Equal(again, message) {
			t.Fatalf("%x\nwritten again %x, %v", message, again, err)
		}
	})
}

// parse reads types, separated by bars. A text of no types is one of no columns.
func parse(texts string) (types []*rowcodec.Type, ok bool) {
	if texts == "" {
		return nil, true
	}
	for text := range strings.SplitSeq(texts, "|") {
		parsed, err := rowcodec.ParseType(text)
		if err != nil {
			return nil, false
		}
		types = append(types, parsed)
	}
	return types, true
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
