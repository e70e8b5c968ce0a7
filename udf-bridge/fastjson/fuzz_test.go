package fastjson_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/drey-flink/drey/udf-bridge/fastjson"
)

// odd has what engines are known to disagree on: options, embedding, methods of its own, names that differ by case.
type odd struct {
	Embedded
	*Pointed
	Number  json.Number      `json:"num"`
	Decimal decimal.Decimal  `json:"dec"`
	Time    time.Time        `json:"time"`
	Span    time.Duration    `json:"span,omitempty"`
	Float   float64          `json:"float,string,omitempty"`
	Flag    bool             `json:",string"`
	Text    string           `json:"text,string"`
	Zero    time.Time        `json:"zero,omitzero"`
	Omitted string           `json:"-"`
	HTML    string           `json:"<html>"`
	Lower   string           `json:"case"`
	Upper   string           `json:"CASE"`
	Nested  *odd2            `json:"nested"`
	Days    map[day]int      `json:"days"`
	Iface   json.Unmarshaler `json:"iface"`
	Array   [3]*string       `json:"array"`
	Floats  []float32        `json:"floats"`
	Empty   struct{}         `json:"empty"`
	Texts   textual          `json:"texts"`
	List    []any            `json:"list"`
	Runes   []rune           `json:"runes"`
	//lint:ignore U1000 a field that JSON does not have is the case
	unlisted int
}

// merged has what only encoding/json reads: maps of more than one value, arrays, names beyond ASCII.
type merged struct {
	Array  [3]*string                 `json:"array"`
	Pair   [2]int                     `json:"pair"`
	Nested map[string]map[string]odd2 `json:"nested"`
	List   map[string][]int           `json:"lists"`
	Größe  map[string]int             `json:"größe"`
}

// Embedded and Pointed are embedded.
type Embedded struct {
	Level int    `json:"level"`
	Text  string `json:"hidden"`
}

// Pointed is embedded by a pointer.
type Pointed struct {
	Depth uint8 `json:"depth"`
}

type odd2 struct {
	Self *odd2 `json:"self,omitempty"`
	Raw  json.RawMessage
}

type day string

// textual reads and writes itself as text.
type textual struct{ text string }

func (t *textual) UnmarshalText(text []byte) error { t.text = "<" + string(text) + ">"; return nil }
func (t textual) MarshalText() ([]byte, error)     { return []byte(t.text), nil }

var oddTexts = []string{
	`{"level":1,"depth":2,"num":1e400,"dec":"1.10","time":"2026-11-23T14:05:00Z","span":5,"float":"1.5","Flag":"true","text":"\"a\""}`,
	`{"num":"12"}`, `{"num":"x"}`, `{"num":null,"dec":null,"time":null}`, `{"float":"null"}`, `{"float":""}`, `{"float":" 1"}`, `{"Flag":true}`, `{"text":"a"}`, `{"text":"\"\\u0041\""}`,
	`{"case":"a","CASE":"b","Case":"c","cAsE":"d"}`, `{"nested":{"self":{"self":null},"Raw":[1, 2]}}`, `{"days":{"mon":1,"mon":2}}`, `{"iface":null}`, `{"iface":{}}`,
	`{"array":["a",null,"c","d"]}`, `{"array":[]}`, `{"floats":[1e38,1e39]}`, `{"floats":[0.1,1e-46,-0]}`, `{"empty":{"a":1}}`, `{"texts":"x"}`, `{"texts":1}`, `{"texts":null}`, `{"-":3,"Omitted":"x","<html>":"<&>"}`,
	`{"runes":[65,1114112]}`, `{"zero":"0001-01-01T00:00:00Z"}`, `{"Level":1,"LEVEL":2,"hidden":"h","Hidden":"H"}`, `{"unlisted":1}`, `{"list":[1,2.5,"x",{"y":null}]}`, `{"depth":256}`, `{"depth":null}`,
	`{"nested":{"a":{"b":{"Raw":1},"b":{"self":{}}},"a":{"c":{}}}}`, `{"nested":{"a":{"b":{"Raw":1}},"a":null}}`, `{"days":{"a":1,"a":null}}`, `{"array":["a","b"],"array":[null]}`, `{"list":[{"a":1}],"list":[{"b":2}]}`, `{"floats":[1,2,3],"floats":[null]}`, `{"runes":[1,2],"runes":[3]}`, `{"pair":[0,0,]}`, `{"pair":[0,0,1,]}`, `{"array":[null,null,null,]}`, `{"nested":{"a":{}},"nested":{"b":{}}}`,
	`{"lists":{"a":[1,2],"a":[null]}}`, `{"GRÖẞE":{"a":1}}`, `{"größe":{"a":1,"a":null}}`,
}

func TestOddTypes(t *testing.T) {
	for _, text := range oddTexts {
		same[odd](t, text, []byte(text))
		same[odd2](t, text, []byte(text))
		same[Embedded](t, text, []byte(text))
		same[merged](t, text, []byte(text))
		if v, err := fastjson.NewDecoder[odd]().Decode([]byte(text)); err == nil {
			sameText(t, text, v)
		}
	}
}

// sameText encodes by both engines.
func sameText(t testing.TB, name string, v any) {
	t.Helper()
	want, wantErr := json.Marshal(v)
	for _, room := range []int{0, 2, len(want), 2 * len(want)} {
		got, err := fastjson.Append(append(make([]byte, 0, 1+room), '#'), v)
		if (err == nil) != (wantErr == nil) || string(got) != "#"+string(want) {
			t.Errorf("%s: got %.300q, %v, encoding/json has %.300q, %v", name, got, err, want, wantErr)
		}
	}
}

func TestEncode(t *testing.T) {
	number := 7
	for name, v := range map[string]any{
		"null": nil, "pointer": &number, "nil pointer": (*int)(nil), "html": "<a href='x'>&</a>\u2028\u2029", "quotes": "a\"b\\c/\b\f\n\r\t\x00\x1f\x7f",
		"not UTF-8": "a\xffb\xc3", "name not UTF-8": map[string]int{"\xff": 1, "\xfe": 2}, "surrogate": "\xed\xa0\x80", "map order": map[string]any{"b": 1, "a": []any{}, "": nil, "ä": 2, "Z": 3},
		"map of ints": map[int]string{10: "a", 9: "b", -1: "c"}, "nil map": map[string]int(nil), "nil slice": []int(nil), "empty slice": []int{}, "bytes": []byte{0, 1, 255}, "nil bytes": []byte(nil),
		"floats":  []float64{0, math.Copysign(0, -1), 1e20, 1e21, 1e-6, 1e-7, 0.1, 1.0 / 3, math.MaxFloat64, math.SmallestNonzeroFloat64, 123456789, 100, 1e6, -1e300},
		"singles": []float32{0.1, 1e20, 1e21, 1e-7, 3.4028235e38, 16777216, 0.3}, "NaN": math.NaN(), "infinity": []float64{math.Inf(1)}, "channel": make(chan int), "func": struct{ F func() }{},
		"integers": []any{int64(math.MaxInt64), int64(math.MinInt64), uint64(math.MaxUint64), int8(-128), uint8(255)}, "time": time.Date(2026, 11, 23, 1, 2, 3, 4e6, time.FixedZone("", 5400)), "year 10000": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		"raw": json.RawMessage(` { "a" : 1 } `), "raw bad": json.RawMessage(`{`), "raw nil": json.RawMessage(nil), "raw html": json.RawMessage(`"<>"`), "number": json.Number("1.50"), "number bad": json.Number("x"), "number empty": json.Number(""),
		"odd": odd{Text: "é", Flag: true, HTML: "<>"}, "odd pointer": &odd{Pointed: &Pointed{3}}, "target": target{}, "nested": map[string]any{"a": map[string]any{"b": []any{map[string]any{}}}}, "decimal": decimal.RequireFromString("1.10"),
		"struct of any": struct{ A, B any }{odd2{}, &odd2{Self: &odd2{}}}, "long text": string(bytes.Repeat([]byte("aé\n<"), 3000)), "array": [2]bool{true, false}, "textual": textual{"<t>"}, "map of textual": map[textual]int{{"x"}: 1},
	} {
		sameText(t, name, v)
	}
	type loop struct{ Next *loop }
	l := &loop{}
	l.Next = l
	if _, err := fastjson.Append(nil, l); err == nil {
		t.Error("a value that contains itself has no JSON")
	}
}

// TestRandomTexts puts odd parts where an engine that reads many bytes at once may miss them: anywhere in long strings,
// behind long gaps, in values that are skipped.
func TestRandomTexts(t *testing.T) {
	parts := []string{`\n`, `\q`, `\0`, `\u00g1`, `\u0041`, `\ud800`, "\x01", "\t", "\n", `\\`, `\"`, `\`, `"`, "é", "\xff", "\x7f", "[", "}", ","}
	values := []string{
		"1", "-1", "01", "1.", "1e", "1e5", "-", "tru", "true", "null", "nul", "[]", "{}", "[1,]", `{"x":1,}`, "[1 2]", "+1", ".5", "0x1", "NaN", "[,]", "{,}", "{1:2}", `"x`,
		"1.5.5", "--1", "1e+", "-01", "00", "truee", "nulll", `{"x" 1}`, "]", "}", ":",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		var long strings.Builder
		for range random.IntN(100) {
			if random.IntN(25) == 0 {
				long.WriteString(parts[random.IntN(len(parts))])
			} else {
				long.WriteByte('a')
			}
		}
		value, gap := values[random.IntN(len(values))], strings.Repeat(" ", random.IntN(70))
		for _, form := range []string{
			`{"skip":"S"}`, `{"raw":"S"}`, `{"S":1}`, `{"skip":["S",1],"text":"x"}`, `{"skip":{"S":"S"}}`, `{"text":"S"}`, `"S"`, `["S","S"]`,
			`{"skip":GVG}`, `{"skip":[GV,GV]}`, `{"raw":VG}`, `[GV`, `{"skip":{"k":VG}G}`, `VGV`, `{"number":GVG,"list":[V]}`,
		} {
			text := []byte(strings.NewReplacer("S", long.String(), "V", value, "G", gap).Replace(form))
			same[target](t, string(text), text)
			same[json.RawMessage](t, string(text), text)
			same[any](t, string(text), text)
		}
		if t.Failed() {
			return
		}
	}
}

// FuzzSame holds the engine to encoding/json, whatever the text is.
func FuzzSame(f *testing.F) {
	for _, c := range cases(f) {
		if len(c[1]) < 500 {
			f.Add([]byte(c[1]))
		}
	}
	for _, text := range oddTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		same[any](t, "fuzzed", data)
		same[target](t, "fuzzed", data)
		same[odd](t, "fuzzed", data)
		same[json.RawMessage](t, "fuzzed", data)
		same[map[string]string](t, "fuzzed", data)
		same[[]odd2](t, "fuzzed", data)
		var v any
		if json.Unmarshal(data, &v) == nil {
			sameText(t, "fuzzed", v)
			sameText(t, "fuzzed", string(data))
		}
	})
}
