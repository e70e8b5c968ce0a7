package source

import (
	"encoding/binary"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// asFlink writes a string as StringValue.writeString does.
func asFlink(text string) []byte {
	runes := []rune(text)
	b := binary.AppendUvarint(nil, uint64(len(runes)+1))
	for _, r := range runes {
		b = binary.AppendUvarint(b, uint64(r))
	}
	return b
}

func TestReference(t *testing.T) {
	want := segment.Reference{Key: "drey/state/jöb/x.manifest", SHA256: "ab", Bytes: 1 << 40}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := reference(asFlink(string(text))); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for name, entry := range map[string][]byte{"empty": nil, "null": {0}, "no JSON": asFlink("x"), "cut": asFlink(string(text))[:20], "too long": {0xff, 0xff, 0xff, 0x7f}} {
		if _, err := reference(entry); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzReference(f *testing.F) {
	f.Add(asFlink(`{"key":"a","sha256":"b","bytes":1}`))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1})
	f.Fuzz(func(t *testing.T, entry []byte) {
		ref, err := reference(entry)
		if err == nil && ref.Key == "" && ref.Bytes == 0 && ref.SHA256 == "" && len(entry) > 1<<20 {
			t.Error("a long entry that says nothing")
		}
	})
}
