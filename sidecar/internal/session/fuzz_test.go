package session

import (
	"bytes"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// FuzzRecord: a record of the log that is read and written again is the same, or is refused.
func FuzzRecord(f *testing.F) {
	c := statestore.Committed{Request: statestore.Request{KeyGroup: 7, ID: "id", Epoch: 3, Seq: 9, Low: 4}, Answer: []byte("answer"), Version: 5}
	c.Add("set", statestore.Set([]byte("value"), 0))
	c.Add("expires", statestore.Set(nil, -1))
	c.Add("deleted", statestore.Delete())
	f.Add(appendApply(nil, &c, -1000))
	f.Add([]byte{recordApply})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		c, watermark, err := readApply(data[1:])
		if err != nil {
			return
		}
		first := appendApply(nil, &c, watermark)
		again, watermark, err := readApply(first[1:]) // numbers may have been written longer than they need
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if second := appendApply(nil, &again, watermark); !bytes.Equal(first, second) {
			t.Errorf("%x, and then %x", first, second)
		}
	})
}
