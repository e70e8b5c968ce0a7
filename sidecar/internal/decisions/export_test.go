package decisions

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

func sequence(entries ...Entry) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func TestExport(t *testing.T) {
	d := sample(7)
	d.Seq, d.Input = 12, []byte("{\n \"a\" : {\"b.c\": [1, {\"x\": \"\\u0041\"}]}, \"n\": 12345678901234567890 }")
	d.Masked, d.Omitted = InInput, InResult
	failed := &Decision{Seq: 13, ID: "\x01\xff", Time: noon, Function: "f", Input: []byte("{broken"), ErrorCode: "function_error", ErrorMessage: "no \"such\"", Replayed: true}
	note := &Note{Kind: NoteDropped, Time: noon, Bytes: 3, Decisions: 4, Reason: "r", Build: "b", Head: segment.Head{Seq: 9}}
	entries := []Entry{{Seq: 12, Decision: d}, {Seq: 13, Decision: failed}, {Seq: 14, Note: note}}
	head := note.Head.String()
	tests := []struct {
		name   string
		fields []string
		want   []string
	}{
		{"all", nil, []string{
			`{"seq":12,"id":"tx-00000007","time":"2026-03-01T12:00:00.007Z","job":"5c61f1b9c9e08b5c9a0d4b1b4b0f4c11","operator":"score","subtask":1,"epoch":0,"fence":7,"function":"fraud","build":"9f0b7f2d1c6c5a80",` +
				`"input":{"a":{"b.c":[1,{"x":"\u0041"}]},"n":12345678901234567890},"result":` + string(d.Result) + `,"state":[{"state":"profile","key":"433","version":0}],"rules":["small-then-large"],"masked":["input"],"omitted":["result"]}`,
			`{"seq":13,"id":"\u0001` + "\uFFFD" + `","time":"2026-03-01T12:00:00Z","function":"f","input":"{broken","error":{"code":"function_error","message":"no \"such\""},"replayed":true}`,
			`{"note":{"seq":14,"kind":"dropped","time":"2026-03-01T12:00:00Z","decisions":4,"bytes":3,"reason":"r","head":"` + head + `","build":"b"}}`,
		}},
		{"some", []string{"id", "result.decision", "result.reasons.0", "input.a", "input.nothing.here", "job"}, []string{
			`{"id":"tx-00000007","result.decision":"alert","result.reasons.0":"small amount 2.43 followed by 217.00 within 41 s","input.a":{"b.c":[1,{"x":"\u0041"}]},"input.nothing.here":null,"job":"5c61f1b9c9e08b5c9a0d4b1b4b0f4c11"}`,
			`{"id":"\u0001` + "\uFFFD" + `","result.decision":null,"result.reasons.0":null,"input.a":null,"input.nothing.here":null,"job":null}`,
			`{"note":{"seq":14,"kind":"dropped","time":"2026-03-01T12:00:00Z","decisions":4,"bytes":3,"reason":"r","head":"` + head + `","build":"b"}}`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Export(&out, sequence(entries...), test.fields...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")); diff != "" {
				t.Error(diff)
			}
			for line := range strings.Lines(out.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %s", line)
				}
			}
		})
	}
	if one := new(Exporter).Append(nil, entries[2]); !json.Valid(one) {
		t.Error(string(one))
	}
}

func TestExportErrors(t *testing.T) {
	for _, field := range []string{"nothing", "id.x", ""} {
		if err := Export(&bytes.Buffer{}, sequence(), field); err == nil || !strings.Contains(err.Error(), "there are seq, id") {
			t.Error(field, err)
		}
	}
	damage := errors.New("damage")
	var out bytes.Buffer
	err := Export(&out, func(yield func(Entry, error) bool) {
		if yield(Entry{Decision: sample(1)}, nil) {
			yield(Entry{}, damage)
		}
	})
	if !errors.Is(err, damage) || !strings.Contains(out.String(), sample(1).ID) {
		t.Error(err, out.String())
	}
	full := errors.New("full")
	if err := Export(refusingWriter{full}, sequence(Entry{Decision: sample(1)})); !errors.Is(err, full) {
		t.Error(err)
	}
}

type refusingWriter struct{ err error }

func (r refusingWriter) Write([]byte) (int, error) { return 0, r.err }
