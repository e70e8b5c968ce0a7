package session

import (
	"testing"
	"testing/synctest"
	"time"
)

// working is a Writer that needs time.
type working time.Duration

func (w working) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(w))
	return len(b), nil
}

func TestGentle(t *testing.T) {
	const writes = 100
	for _, test := range []struct {
		name        string
		work        time.Duration // of each Write
		total, tail time.Duration // how long all of them take, and how much of that may be missing since it is not due yet
	}{
		{"a third of the time", gentleTurn, 3 * writes * gentleTurn, 0},
		{"little by little", gentleTurn / 10, 3 * writes * gentleTurn / 10, gentleTurn},
		{"a disk that is busy", time.Second, writes * (time.Second + gentleRest), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				g := newGentle(working(test.work))
				for range writes {
					if n, err := g.Write([]byte("text")); n != 4 || err != nil {
						t.Fatal(n, err)
					}
				}
				if took := time.Since(start); took > test.total || took < test.total-test.tail {
					t.Errorf("it took %s, not %s", took, test.total)
				}
			})
		})
	}
}
