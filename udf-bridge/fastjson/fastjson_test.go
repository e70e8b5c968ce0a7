package fastjson_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/udf-bridge/fastjson"
)

// target has a field for each way in which a value can fit or not.
type target struct {
	Text     string            `json:"text"`
	Number   int64             `json:"number"`
	Flag     bool              `json:"flag"`
	List     []string          `json:"list"`
	Row      row               `json:"row"`
	Rows     []*row            `json:"rows"`
	Map      map[string]int64  `json:"map"`
	Pointer  *int64            `json:"ptr"`
	Raw      json.RawMessage   `json:"raw"`
	F        float64           `json:"f"`
	Any      any               `json:"any"`
	Bytes    []byte            `json:"bytes"`
	Time     *time.Time        `json:"time"`
	Small    int8              `json:"small"`
	Keys     map[int32]string  `json:"keys"`
	Quoted   int64             `json:"quoted,string"`
	Unsigned uint64            `json:"unsigned"`
	Single   float32           `json:"single"`
	Lists    [][]int           `json:"lists"`
	Key      string            `json:"key"`
	A        any               `json:"a"`
	Self     *target           `json:"o"`
	Texts    map[string]string `json:"texts"`
}

type row struct{ A, B int64 }

// cases reads testdata/rfc8259.txt: name and text.
func cases(t testing.TB) [][2]string {
	t.Helper()
	data, err := os.ReadFile("testdata/rfc8259.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all [][2]string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		all = append(all, [2]string{name, text(t, name, rest)})
	}
	return all
}

// text evaluates string literals that are joined by + and repeated by *.
func text(t testing.TB, name, expression string) string {
	t.Helper()
	var b strings.Builder
	for expression != "" {
		literal, err := strconv.QuotedPrefix(expression)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		value, err := strconv.Unquote(literal)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		expression = strings.TrimSpace(expression[len(literal):])
		n := 1
		if times, ok := strings.CutPrefix(expression, "* "); ok {
			digits, rest, _ := strings.Cut(times, " ")
			if n, err = strconv.Atoi(digits); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			expression = rest
		}
		b.WriteString(strings.Repeat(value, n))
		expression = strings.TrimPrefix(expression, "+ ")
	}
	return b.String()
}

// same decodes by both engines and compares verdict and value.
func same[T any](t testing.TB, name string, data []byte) (accepted bool) {
	t.Helper()
	var want T
	wantErr := json.Unmarshal(data, &want)
	kept := string(data)
	got, err := fastjson.NewDecoder[T]().Decode(data)
	if string(data) != kept {
		t.Errorf("%s: the text was changed", name)
	}
	for i := range data {
		data[i] = 'x' // what was decoded must not depend on it any more
	}
	defer copy(data, kept)
	switch {
	case (err == nil) != (wantErr == nil):
		t.Errorf("%s into %T: got error %v, encoding/json has %v", name, want, err, wantErr)
	case err == nil && !reflect.DeepEqual(got, want):
		t.Errorf("%s into %T: got %.200v, encoding/json has %.200v", name, want, got, want)
	}
	return wantErr == nil
}

func TestVerdicts(t *testing.T) {
	all := cases(t)
	if len(all) < 400 {
		t.Fatalf("%d cases", len(all))
	}
	for _, c := range all {
		name, data := c[0], []byte(c[1])
		accepted := same[any](t, name, data)
		same[target](t, name, data)
		same[*target](t, name, data)
		same[merged](t, name, data)
		same[json.RawMessage](t, name, data)
		same[map[string]any](t, name, data)
		same[[]any](t, name, data)
		same[string](t, name, data)
		same[int64](t, name, data)
		same[float64](t, name, data)
		switch name[:2] {
		case "y_":
			if !accepted {
				t.Errorf("%s is refused", name)
			}
		case "n_":
			if accepted {
				t.Errorf("%s is accepted", name)
			}
		case "i_":
		default:
			t.Errorf("%s: what is to become of it?", name)
		}
	}
}
