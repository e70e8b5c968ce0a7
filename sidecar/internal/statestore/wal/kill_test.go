//go:build unix

package wal

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The process that is killed is this test binary, told by its environment to write.
const (
	childFolder = "DREY_TEST_WAL_FOLDER"
	childFrom   = "DREY_TEST_WAL_FROM"
	// childLimited instead of a number: the child writes under a limit to the size of its files.
	childLimited = "limited"
	writers      = 4
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		run := child
		if os.Getenv(childFrom) == childLimited {
			run = limitedChild
		}
		if err := run(folder, os.Getenv(childFrom)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child writes until it is killed, and says on its standard output what it has answered for.
func child(folder, text string) error {
	from, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	end, err := Read(folder, func(uint64, []byte) error { return nil })
	if err != nil {
		return err
	}
	l, err := Open(folder, end)
	if err != nil {
		return err
	}
	var out sync.Mutex
	errs := make(chan error, writers)
	for w := range writers {
		go func() {
			rng := rand.New(rand.NewPCG(uint64(from), uint64(w)))
			for i := from; ; i++ {
				position, err := l.Append(fmt.Appendf(nil, "%d %d %s", w, i, strings.Repeat("x", rng.IntN(3000))))
				if err == nil {
					if rng.IntN(50) == 0 {
						l.Rotate()
					}
					err = l.Wait(position)
				}
				if err != nil {
					errs <- err
					return
				}
				out.Lock()
				fmt.Println(w, i) //nolint:forbidigo // that is how it answers
				out.Unlock()
			}
		}()
	}
	return <-errs
}

// TestKilledProcessLosesNothing kills a writing process again and again: all that it had answered for must be there, in order,
// and whatever else is there must be what it was about to answer for.
func TestKilledProcessLosesNothing(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range rounds {
		folder := t.TempDir()
		from := 0
		starts := map[int]bool{}
		for range 1 + rng.IntN(3) { // a log that was killed before is written on
			starts[from] = true
			answered := killChild(t, folder, from, 20+rng.IntN(600), time.Duration(rng.IntN(3000))*time.Microsecond)
			last := make([]int, writers)
			for w := range last {
				last[w] = -1
			}
			if _, err := Read(folder, func(_ uint64, record []byte) error {
				var w, i int
				if _, err := fmt.Sscanf(string(record[:min(len(record), 40)]), "%d %d ", &w, &i); err != nil {
					return err
				}
				// The writers of a later process begin at another number.
				if i != last[w]+1 && !starts[i] {
					t.Errorf("writer %d wrote %d after %d", w, i, last[w])
				}
				last[w] = i
				return nil
			}); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			for w, n := range answered {
				if last[w] < n {
					t.Fatalf("round %d: writer %d had answered for %d, the log ends at %d", round, w, n, last[w])
				}
				from = max(from, last[w]+1)
			}
		}
	}
}

// killChild lets a child answer some times, waits for a moment and kills it. It returns the last that each writer answered for.
func killChild(t *testing.T, folder string, from, answers int, moment time.Duration) []int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+folder, childFrom+"="+strconv.Itoa(from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := make([]int, writers)
	for w := range last {
		last[w] = -1
	}
	lines := bufio.NewScanner(out)
	var kill sync.Once
	for n := 0; lines.Scan(); n++ {
		var w, i int
		if _, err := fmt.Sscan(lines.Text(), &w, &i); err != nil {
			break // cut off by the kill
		}
		last[w] = i
		if n == answers {
			// The moment is any: the child goes on until then, and what it says meanwhile is read, too.
			kill.Do(func() {
				time.AfterFunc(moment, func() {
					if err := cmd.Process.Kill(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child was not killed: %v", err)
	}
	return last
}
