package envelope_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/envelope"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

func said(err error) []string {
	var p *problem.Error
	if !errors.As(err, &p) {
		return nil
	}
	lines := []string{}
	for _, v := range p.Violations {
		lines = append(lines, v.Field+": "+v.Message)
	}
	return lines
}

func TestReadCall(t *testing.T) {
	for body, want := range map[string]envelope.Call{
		`{"event":{"a":1.50}}`:                                {Event: []byte(`{"a":1.50}`)},
		" {\"id\":\"a\",\n\"event\" : [1, 2] } ":              {ID: "a", Event: []byte("[1, 2]")},
		`{"event":null,"function":"f","id":"gr\u00fc\u00df"}`: {ID: "grüß", Function: "f", Event: []byte("null")},
		`{"event":1,"function":null,"id":null}`:               {Event: []byte("1")},
		`{"event":1,"origin":{"job":"j","subtask":3}}`:        {Event: []byte("1"), Origin: envelope.Origin{Job: "j", Subtask: 3}},
		`{"event":1,"origin":null}`:                           {Event: []byte("1")},
		`{"event":1,"state":{"key":"k","watermark":5}}`:       {Event: []byte("1"), State: &envelope.State{Key: "k", Watermark: 5, LowWatermark: 5}},
		`{"event":1,"state":{"key":"k","low_watermark":-3}}`:  {Event: []byte("1"), State: &envelope.State{Key: "k", Watermark: math.MinInt64, LowWatermark: -3}},
		`{"\u0065vent":"x","\u0069d":"y"}`:                    {ID: "y", Event: []byte(`"x"`)},
		`{"event":12345678901234567890123e99999}`:             {Event: []byte("12345678901234567890123e99999")},
		`{"event":"` + strings.Repeat("[", 1000) + `\"["}`:    {Event: []byte(`"` + strings.Repeat("[", 1000) + `\"["`)},
	} {
		got, err := envelope.ReadCall([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

func TestReadCallRefuses(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"nothing":         {``, []string{"body: is empty, must be JSON"}},
		"blank":           {`  `, []string{"body: the JSON ends too early"}},
		"not an object":   {`[1]`, []string{"body: is an array, must be an object"}},
		"cut off":         {`{"event":{"a":`, []string{"event.a: the JSON ends too early (at byte 14)"}},
		"trailing brace":  {`{"event":1}}`, []string{"body: invalid character '}' at start of value (at byte 11)"}},
		"trailing value":  {`{"event":1} {}`, []string{"body: more than one JSON value"}},
		"bad origin":      {`{"event":1,"origin":{"subtask":-1,"x":1}}`, []string{"origin.subtask: is -1, must be a whole number from 0 to 32767", "origin.x: unknown key; the keys are job, subtask", "origin.job: is missing"}},
		"missing event":   {`{}`, []string{"event: is missing"}},
		"all at once":     {`{"evnt":1,"id":5,"function":["f"],"x":{}}`, []string{"evnt: unknown key; did you mean event?", "id: is a number, must be a string", "function: is an array, must be a string", "x: unknown key; the keys are event, function, id, origin, state", "event: is missing"}},
		"empty strings":   {`{"event":1,"id":"","function":""}`, []string{"id: is empty: give a value or leave the key out", "function: is empty: give a value or leave the key out"}},
		"duplicate key":   {`{"event":1,"event":2}`, []string{`event: the name stands twice in its object (at byte 11)`}},
		"duplicate below": {`{"event":{"a":[{"b":1,"b":2}]}}`, []string{`event.a.0.b: the name stands twice in its object (at byte 22)`}},
		"escaped twin":    {`{"event":{"a":1,"\u0061":2}}`, []string{`event.a: the name stands twice in its object (at byte 16)`}},
		"NaN":             {`{"event":{"amount":NaN}}`, []string{"event.amount: invalid character 'N' at start of value (at byte 19)"}},
		"infinity":        {`{"event":-Infinity}`, []string{"event: invalid character 'I' in number (expecting digit) (at byte 10)"}},
		"bad UTF-8":       {"{\"event\":\"\xff\"}", []string{"event: invalid UTF-8 (at byte 10)"}},
		"lone surrogate":  {`{"event":"\ud800"}`, []string{"event: invalid surrogate pair `\\ud800\"}` in string (at byte 10)"}},
		"too deep":        {`{"event":` + nested(129) + `}`, []string{"event: is nested deeper than 128 levels"}},
		"long id":         {`{"event":1,"id":"` + strings.Repeat("x", 257) + `"}`, []string{"id: has 257 bytes, the limit is 256"}},
		"control in id":   {`{"event":1,"id":"a\nb"}`, []string{"id: has a control character"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := envelope.ReadCall([]byte(c.body))
			if diff := cmp.Diff(c.want, said(err)); diff != "" {
				t.Error(diff)
			}
			if p := problem.From(err); p == nil || p.Code != problem.InvalidRequest {
				t.Errorf("code: %v", p)
			}
		})
	}
	for _, depth := range []int{10_001, 100_000} {
		if _, err := envelope.ReadCall([]byte(`{"event":` + nested(depth) + `}`)); err == nil {
			t.Errorf("depth %d was accepted", depth)
		}
	}
	if _, err := envelope.ReadCall([]byte(`{"event":` + nested(128) + `}`)); err != nil {
		t.Errorf("depth 128: %v", err)
	}
}

func TestReadBatch(t *testing.T) {
	got, err := envelope.ReadBatch([]byte(`{"items":[{"event":1},{"event":{},"id":"b","function":"g"}],"function":"f"}`))
	want := envelope.Batch{Function: "f", Items: []envelope.Call{{Event: []byte("1")}, {Event: []byte("{}"), ID: "b", Function: "g"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	_, err = envelope.ReadBatch([]byte(`{"items":[{"event":1},7,{"id":3}],"itms":[]}`))
	if diff := cmp.Diff([]string{
		"items.1: is a number, must be an object", "items.2.id: is a number, must be a string", "items.2.event: is missing",
		"itms: unknown key; did you mean items?",
	}, said(err)); diff != "" {
		t.Error(diff)
	}
	for body, want := range map[string]string{
		`{}`: "items: is missing", `{"items":{}}`: "items: is an object, must be an array",
		`{"items":[{"event":{"a":1,"a":2}}]}`: `items.0.event.a: the name stands twice in its object (at byte 26)`,
	} {
		_, err := envelope.ReadBatch([]byte(body))
		if diff := cmp.Diff([]string{want}, said(err)); diff != "" {
			t.Error(body, diff)
		}
	}
}

func TestCheckEvent(t *testing.T) {
	if err := envelope.CheckEvent([]byte(`{"a":[1]}`), "event"); err != nil {
		t.Error(err)
	}
	for event, want := range map[string]string{
		``: "event: is empty, must be JSON", `{"a":1,"a":2}`: `event.a: the name stands twice in its object (at byte 7)`, `1 2`: "event: more than one JSON value",
	} {
		if diff := cmp.Diff([]string{want}, said(envelope.CheckEvent([]byte(event), "event"))); diff != "" {
			t.Error(diff)
		}
	}
}

func TestReadCallDoesNotGrow(t *testing.T) {
	body := []byte(`{"event":{"accountId":4711,"amount":123.45,"device":"d-1234"}}`)
	if n := testing.AllocsPerRun(1000, func() { _, _ = envelope.ReadCall(body) }); n > 8 { // none, but for the race detector, which empties pools at random
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkReadCall(b *testing.B) {
	body := []byte(`{"event":{"accountId":4711,"timestamp":1764000000000,"amount":123.45,"device":"d-1234","region":"DE"}}`)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = envelope.ReadCall(body)
	}
}

// What is accepted must be what every other JSON reader accepts too, and the event must be what stands there.
func FuzzReadCall(f *testing.F) {
	for _, seed := range []string{`{"event":1}`, `{"event":{"a":[1,2,{"b":null}]},"id":"x","function":"f"}`, `{"event":"\ud83d\ude00"}`, `{"\u0065vent":1e400}`, "{\"event\":\"\xff\"}", `{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := envelope.ReadCall(body)
		if err != nil {
			if p := problem.From(err); len(p.Violations) == 0 || p.Detail == "" {
				t.Errorf("an error that names nothing: %v", err)
			}
			return
		}
		var want struct {
			Event    json.RawMessage
			Function *string
			ID       *string
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if string(want.Event) != string(call.Event) || want.Function != nil && *want.Function != call.Function || want.ID != nil && *want.ID != call.ID {
			t.Errorf("%q: got %+v, encoding/json has %+v", body, call, want)
		}
	})
}

func FuzzReadBatch(f *testing.F) {
	f.Add([]byte(`{"function":"f","items":[{"event":1},{"event":{"a":2},"id":"x"}]}`))
	f.Add([]byte(`{"items":[[]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		batch, err := envelope.ReadBatch(body)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatal("accepted what encoding/json refuses")
		}
		for _, call := range batch.Items {
			if !json.Valid(call.Event) {
				t.Errorf("event %q", call.Event)
			}
		}
	})
}
