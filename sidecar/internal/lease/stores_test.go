package lease_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/lease"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/dir"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

func folder(t *testing.T, name string) *dir.Store {
	t.Helper()
	s, err := dir.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Over real stores: the holder is cut off, the other one takes over; a third gets it handed over.
func TestStores(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) lease.Store{
		"dir": func(t *testing.T) lease.Store { return folder(t, t.TempDir()) },
		"s3":  func(t *testing.T) lease.Store { return snapshottest.StartS3(t).Bucket(t, "bucket") },
	} {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			const short = 3 * time.Second
			a := start(t, store, "a", short)
			a.expect(t, 1)
			b := start(t, store, "b", short)
			a.away.Store(true)
			a.expectLost(t)
			b.expect(t, 2)
			c := start(t, store, "c", short)
			close(b.leave)
			c.expect(t, 3)
		})
	}
}

// weather is what becomes of the next requests to write.
type weather struct {
	mu     sync.Mutex
	fault  snapshottest.Fault
	left   int
	passed chan struct{} // one that got through
}

func (w *weather) script(_ int, r *http.Request) snapshottest.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Method != http.MethodPut {
		return nil
	}
	if w.left > 0 {
		w.left--
		return w.fault
	}
	select {
	case w.passed <- struct{}{}:
	default:
	}
	return nil
}

func (w *weather) set(n int, fault snapshottest.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault, w.left = fault, n
	select {
	case <-w.passed: // of before
	default:
	}
}

// hang never answers.
func hang(_ *snapshottest.Proxy, _ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) //nolint:errcheck // without it nobody notices that the client is gone
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// A real S3 server behind two ways to it, of which the holder's is bad: what passes is not noticed, what stays costs the lease.
// Then the server is away for both.
func TestS3Faults(t *testing.T) {
	server := snapshottest.StartS3(t)
	store := server.Bucket(t, "bucket")
	w := &weather{passed: make(chan struct{}, 1)}
	bad := snapshottest.Bucket(t, snapshottest.StartProxy(t, server, w.script).Config(), "bucket")
	const limit = 5 * time.Second
	a := start(t, bad, "a", limit)
	a.expect(t, 1)
	b := start(t, store, "b", limit)
	for name, fault := range map[string]snapshottest.Fault{
		"slow down": snapshottest.Refuse(http.StatusServiceUnavailable, "SlowDown"), "internal error": snapshottest.Refuse(http.StatusInternalServerError, "InternalError"),
		"conflict": snapshottest.Refuse(http.StatusConflict, "ConditionalRequestConflict"), "denied": snapshottest.Refuse(http.StatusForbidden, "AccessDenied"),
		"answers lost": snapshottest.Lose, "reset": snapshottest.Reset(0), "cut": snapshottest.Cut(0), "no answer": hang,
	} {
		n := 2
		if name == "no answer" {
			n = 1
		}
		w.set(n, fault)
		<-w.passed
		if len(a.ended) > 0 || len(b.began) > 0 {
			t.Fatalf("%s: the lease was lost: %+v", name, a.Status())
		}
	}
	w.set(1<<30, snapshottest.Refuse(http.StatusServiceUnavailable, "SlowDown"))
	a.expectLost(t)
	if s := a.Status(); s.Held || !strings.Contains(s.Error, "SlowDown") {
		t.Errorf("a: %+v", s)
	}
	b.expect(t, 2)
	w.set(0, nil)

	server.Stop()
	b.expectLost(t)
	server.Start()
	// Whichever of the two was first.
	select {
	case fence := <-a.began:
		if fence != 3 {
			t.Errorf("a got number %d", fence)
		}
	case fence := <-b.began:
		if fence != 3 {
			t.Errorf("b got number %d", fence)
		}
	}
}

// A holder in another process is this test binary, told by its environment to be that.
const holderFolder = "DREY_TEST_LEASE_FOLDER"

const processTTL = 2 * time.Second

func holderMain() {
	name := os.Getenv(holderFolder)
	if name == "" {
		return
	}
	store, err := dir.Open(name)
	if err == nil {
		config := lease.Config{Owner: fmt.Sprint("process ", os.Getpid()), TTL: processTTL}
		err = lease.New(store, key, config, slog.New(slog.DiscardHandler)).Run(context.Background(),
			func(ctx context.Context, fence uint64) error {
				fmt.Printf("began %d\n", fence)
				<-ctx.Done()
				fmt.Printf("ended: %v\n", context.Cause(ctx))
				return nil
			})
	}
	fmt.Fprintln(os.Stderr, err) // it is killed at its end, so that there is none without an error
	os.Exit(1)
}

// A process that stands still for longer than the TTL loses the lease, and knows when it goes on. One that is killed loses it
// too.
func TestProcesses(t *testing.T) {
	name := t.TempDir()
	cmd := exec.Command(os.Args[0]) //nolint:gosec // this test binary
	cmd.Env, cmd.Stderr = append(os.Environ(), holderFolder+"="+name), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have been killed
		cmd.Wait()         //nolint:errcheck // likewise
	})
	lines := bufio.NewScanner(out)
	says := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the process says %q, want %q", lines.Text(), want)
		}
	}
	signal := func(s os.Signal) {
		t.Helper()
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	says("began 1")
	b := start(t, folder(t, name), "b", processTTL)
	signal(syscall.SIGSTOP)
	b.expect(t, 2)
	signal(syscall.SIGCONT)
	says("ended: the lease was lost")
	close(b.leave)
	says("began 3")
	signal(syscall.SIGKILL)
	start(t, folder(t, name), "c", processTTL).expect(t, 4)
}
