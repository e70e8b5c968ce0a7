package console

import (
	"bytes"
	"maps"
	"testing"
)

func FuzzStringMap(f *testing.F) {
	f.Add(appendStringMap(nil, map[string]string{"function": "f", "": "x"}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeStringMap(b)
		if err != nil {
			return
		}
		again, err := decodeStringMap(appendStringMap(nil, m))
		if err != nil || !maps.Equal(m, again) {
			t.Errorf("%v became %v, %v", m, again, err)
		}
	})
}

func TestTail(t *testing.T) {
	var also bytes.Buffer
	tail := tail{also: &also}
	for range maxTail {
		if _, err := tail.Write([]byte("ab")); err != nil {
			t.Fatal(err)
		}
	}
	if got := tail.String(); len(got) != maxTail || got[maxTail-1] != 'b' || also.Len() != 2*maxTail {
		t.Errorf("kept %d bytes, passed on %d", len(got), also.Len())
	}
}
