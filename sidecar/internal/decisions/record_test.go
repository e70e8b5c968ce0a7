package decisions

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

func TestRecordRoundTrip(t *testing.T) {
	text := rapid.String()
	rapid.Check(t, func(t *rapid.T) {
		want := &Decision{
			ID: text.Draw(t, "id"), Time: time.Unix(0, rapid.Int64().Draw(t, "time")).UTC(), Job: text.Draw(t, "job"),
			Operator: text.Draw(t, "operator"), Subtask: rapid.IntRange(0, 1<<15).Draw(t, "subtask"), Epoch: rapid.Uint64().Draw(t, "epoch"),
			Fence: rapid.Uint64().Draw(t, "fence"), Function: text.Draw(t, "function"), Build: text.Draw(t, "build"),
			Input: []byte(text.Draw(t, "input")), Result: []byte(text.Draw(t, "result")), ErrorCode: text.Draw(t, "code"),
			ErrorMessage: text.Draw(t, "message"), Rules: rapid.SliceOf(text).Draw(t, "rules"), Replayed: rapid.Bool().Draw(t, "replayed"),
			Key: text.Draw(t, "state key"), Session: text.Draw(t, "session"), Restored: rapid.Uint64().Draw(t, "restored"), KeyGroup: rapid.IntRange(0, 1<<15).Draw(t, "key group"), Version: rapid.Uint64().Draw(t, "group version"),
			StateUnnamed: rapid.IntRange(0, 9).Draw(t, "unnamed"), Writes: rapid.IntRange(0, 9).Draw(t, "writes"), Watermark: rapid.Int64Min(-1<<62).Draw(t, "watermark"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "reads") {
			want.State = append(want.State, StateRead{State: text.Draw(t, "state"), Key: text.Draw(t, "key"), Version: rapid.Uint64().Draw(t, "version")})
		}
		// A mask that fits nothing makes the writer go through the values all the same.
		for _, names := range [][]string{nil, {"no such field"}} {
			e := encoder{masks: newMasks(names), maxValue: 1 << 20}
			body := e.append(nil, want)
			body = protowire.AppendString(protowire.AppendTag(body, 1000, protowire.BytesType), "from a later version")
			entry, err := decode(7, body, nil)
			if err != nil {
				t.Fatal(err)
			}
			expected := *want
			expected.Seq = 7
			if names != nil { // what is no JSON is masked as a whole, which is not the matter here
				expected.Input, expected.Result, expected.Masked = entry.Decision.Input, entry.Decision.Result, entry.Decision.Masked
			}
			same := cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })
			if diff := cmp.Diff(&expected, entry.Decision, same, cmp.Comparer(func(a, b []string) bool { return cmp.Equal(append([]string{}, a...), append([]string{}, b...)) })); diff != "" {
				t.Fatal(diff)
			}
			key, err := keyOf(body)
			id, ns := idAndTime(body)
			if err != nil || string(key.ID) != want.ID || key.Time != want.Time.UnixNano() || string(key.Job) != want.Job || key.Epoch != want.Epoch || key.Note ||
				string(id) != want.ID || ns != key.Time {
				t.Fatalf("%+v %v, %s %d", key, err, id, ns)
			}
		}
	})
}

func TestNoteRoundTrip(t *testing.T) {
	want := &Note{Kind: NoteDropped, Time: noon, Decisions: 1, Bytes: 2, Reason: "why", Head: segment.Head{Seq: 3, Hash: [32]byte{1}}, Build: "b"}
	body := appendNote(nil, want)
	e, err := decode(1, body, nil)
	if err != nil || e.Decision != nil {
		t.Fatal(e, err)
	}
	if diff := cmp.Diff(want, e.Note); diff != "" {
		t.Fatal(diff)
	}
	if key, err := keyOf(body); err != nil || !key.Note || len(key.ID) > 0 {
		t.Fatalf("%+v %v", key, err)
	}
}

// FuzzRecord: what is read again after it was written is the same; nothing that stands in a file makes a reader panic.
func FuzzRecord(f *testing.F) {
	e := encoder{maxValue: 1 << 20}
	f.Add(e.append(nil, sample(1)))
	f.Add(appendNote(nil, &Note{Kind: NoteDropped, Head: segment.Head{Seq: 1}}))
	f.Fuzz(func(t *testing.T, body []byte) {
		entry, err := decode(1, body, nil)
		if _, keyErr := keyOf(body); keyErr != nil && err == nil {
			t.Fatal(keyErr)
		}
		idAndTime(body)
		if err != nil || entry.Decision == nil || entry.Decision.Time.IsZero() { // the writer gives every decision a time
			return
		}
		again, err := decode(1, e.append(nil, entry.Decision), entry.Decision)
		if err != nil {
			t.Fatal(err)
		}
		entry.Decision.Masked, entry.Decision.Omitted = 0, 0 // the writer says what these are
		if diff := cmp.Diff(entry.Decision, again.Decision, cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })); diff != "" {
			t.Fatal(diff)
		}
		if line := new(Exporter).Append(nil, entry); !json.Valid(line) {
			t.Fatalf("no JSON: %s", line)
		}
	})
}
