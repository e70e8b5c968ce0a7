package pull

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	. "github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

// A puller is this test binary, told by its environment to pull all of a bucket and to end.
const pullerFolder, pullerConfig = "DREY_TEST_PULL_FOLDER", "DREY_TEST_PULL_CONFIG"

func TestMain(m *testing.M) {
	if folder := os.Getenv(pullerFolder); folder != "" {
		if err := puller(folder, os.Getenv(pullerConfig)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	Main(m)
}

func puller(folder, text string) error {
	var config s3.Config
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return err
	}
	ctx := context.Background()
	client, err := s3.New(ctx, config)
	if err != nil {
		return err
	}
	store, err := client.Bucket("bucket")
	if err != nil {
		return err
	}
	items, err := itemsOf(ctx, store)
	if err != nil {
		return err
	}
	if _, err = Pull(ctx, folder, items, Options{}); err != nil {
		return err
	}
	// Of this process since it began: what the kernel counts for a child (ru_maxrss) is that of its parent at the fork at least.
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	return os.WriteFile(folder+peakSuffix, status, 0o600)
}

const peakSuffix = ".peak"

// peak is how many bytes of memory the puller of a folder had at most.
func peak(t *testing.T, folder string) int64 {
	t.Helper()
	status, err := os.ReadFile(folder + peakSuffix)
	must(t, err)
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscanf(after, "%d kB", &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

func itemsOf(ctx context.Context, store *s3.Store) ([]Item, error) {
	var items []Item
	for o, err := range store.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		items = append(items, Item{Name: o.Key, Source: store, Key: o.Key, URL: "s3://bucket/" + o.Key, Size: o.Size})
	}
	return items, nil
}

func startPuller(t *testing.T, folder string, config s3.Config) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(config)
	must(t, err)
	cmd := exec.Command(os.Args[0]) //nolint:gosec // this test binary
	cmd.Env = append(os.Environ(), pullerFolder+"="+folder, pullerConfig+"="+string(text))
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	return cmd
}

// remote is a bucket with a few objects, behind a proxy.
func remote(t *testing.T, script Script, sizes ...int) (*S3, *Proxy, []Item, map[string][]byte) {
	t.Helper()
	server := StartS3(t)
	store := server.Bucket(t, "bucket")
	contents := map[string][]byte{}
	for i, size := range sizes {
		key := fmt.Sprintf("chk-1/f%03d", i)
		contents[key] = Bytes(size, uint64(i))
		Put(t, store, key, contents[key])
	}
	proxy := StartProxy(t, server, script)
	config := proxy.Config()
	config.StallTimeout, config.Attempts = time.Second, 3
	items, err := itemsOf(t.Context(), Bucket(t, server.Config(), "bucket"))
	must(t, err)
	behind := Bucket(t, config, "bucket")
	for i := range items {
		items[i].Source = behind
	}
	return server, proxy, items, contents
}

// Faults that pass, or that a second try heals.
func TestS3Recovers(t *testing.T) {
	for name, script := range map[string]Script{
		"nothing":            nil,
		"slow down":          First(2, http.MethodGet, Refuse(http.StatusServiceUnavailable, "SlowDown")),
		"reset":              First(2, http.MethodGet, Reset(700)),
		"cut":                First(2, http.MethodGet, Cut(700)),
		"stall":              First(2, http.MethodGet, Stall(700)),
		"truncated":          First(1, http.MethodGet, Truncate(500)),
		"a byte is changed":  First(1, http.MethodGet, Corrupt(100)),
		"changed in a range": nth(4, Corrupt(100)),
		"internal error":     nth(3, Refuse(http.StatusInternalServerError, "InternalError")),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, items, contents := remote(t, script, 900, 3000, 25_500, 0)
			folder := filepath.Join(t.TempDir(), "copy")
			_, err := Pull(t.Context(), folder, items, small)
			must(t, err)
			check(t, folder, items, contents)
		})
	}
}

// nth has the nth request fail that asks for a range.
func nth(n int, fault Fault) Script {
	ranges := make(chan struct{}, n)
	return func(_ int, r *http.Request) Fault {
		if r.Header.Get("Range") == "" {
			return nil
		}
		select {
		case ranges <- struct{}{}:
			if len(ranges) == n {
				return fault
			}
		default:
		}
		return nil
	}
}

// Faults that stay: an error that says what it is, and no copy.
func TestS3Fails(t *testing.T) {
	for name, c := range map[string]struct {
		script Script
		kind   error
	}{
		"slow down":          {Always(Refuse(http.StatusServiceUnavailable, "SlowDown")), snapshot.ErrUnavailable},
		"reset":              {Always(Reset(10)), snapshot.ErrUnavailable},
		"stall":              {Always(Stall(10)), snapshot.ErrUnavailable},
		"a byte is changed":  {get(Corrupt(100)), snapshot.ErrCorrupt},
		"denied":             {Always(Refuse(http.StatusForbidden, "AccessDenied")), snapshot.ErrDenied},
		"bucket gone":        {Always(Refuse(http.StatusNotFound, "NoSuchBucket")), snapshot.ErrNoStore},
		"wrong region":       {Always(Refuse(http.StatusBadRequest, "AuthorizationHeaderMalformed")), snapshot.ErrNoStore},
		"user unknown":       {Always(Refuse(http.StatusNotFound, "XAdminUserNotFound")), snapshot.ErrDenied},
		"objects gone":       {Always(Refuse(http.StatusNotFound, "NoSuchKey")), snapshot.ErrNotFound},
		"to another machine": {Always(Redirect(http.StatusTemporaryRedirect, "http://127.0.0.1:1/")), snapshot.ErrNoStore},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, items, _ := remote(t, c.script, 900, 3000, 25_500)
			folder := filepath.Join(t.TempDir(), "copy")
			if _, err := Pull(t.Context(), folder, items, small); !errors.Is(err, c.kind) {
				t.Errorf("got %v", err)
			}
			if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("there is a copy: %v", err)
			}
		})
	}
}

// An answer that says that an object is shorter than it is.
func TestS3Truncates(t *testing.T) {
	_, _, items, _ := remote(t, get(Truncate(500)), 900)
	if _, err := Pull(t.Context(), filepath.Join(t.TempDir(), "copy"), items, small); !errors.Is(err, snapshot.ErrCorrupt) {
		t.Errorf("a whole object: %v", err)
	}
	_, _, items, _ = remote(t, get(Truncate(500)), 25_500)
	if _, err := Pull(t.Context(), filepath.Join(t.TempDir(), "copy"), items, small); !errors.Is(err, snapshot.ErrUnavailable) {
		t.Errorf("ranges of one: %v", err)
	}
}

// get has all GET requests fail, and lets HEAD say the truth.
func get(fault Fault) Script {
	return func(_ int, r *http.Request) Fault {
		if r.Method == http.MethodGet {
			return fault
		}
		return nil
	}
}

// The server goes away in the middle of a pull, and comes back.
func TestS3Away(t *testing.T) {
	var server *S3
	away := make(chan struct{})
	server, proxy, items, contents := remote(t, func(n int, _ *http.Request) Fault {
		if n == 5 {
			return Do(func() {
				server.Stop()
				close(away)
			})
		}
		if n > 5 {
			<-away
		}
		return nil
	}, 5000, 5000, 5000, 5000)
	one := small
	one.Parallel = 1
	folder := filepath.Join(t.TempDir(), "copy")
	first, err := Pull(t.Context(), folder, items, one)
	if !snapshot.Retryable(err) || !errors.Is(err, snapshot.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	server.Start()
	second, err := Pull(t.Context(), folder, items, one)
	must(t, err)
	check(t, folder, items, contents)
	if first.Downloaded == 0 || first.Downloaded+second.Downloaded != total(contents) || proxy.Sent() < total(contents) {
		t.Errorf("%d and then %d of %d bytes", first.Downloaded, second.Downloaded, total(contents))
	}
}

// The puller is killed when so many requests have come; the next one fetches what is missing.
func TestKilled(t *testing.T) {
	var cmd *exec.Cmd
	started := make(chan struct{})
	_, proxy, items, contents := remote(t, func(n int, _ *http.Request) Fault {
		if n == 40 {
			return func(*Proxy, http.ResponseWriter, *http.Request) {
				<-started
				cmd.Process.Kill() //nolint:errcheck // what follows looks at it
			}
		}
		return nil
	}, sizesOf(100, 3<<20)...)
	folder := filepath.Join(t.TempDir(), "copy")
	cmd = startPuller(t, folder, proxy.Config())
	close(started)
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL { //nolint:forcetypeassert // of Unix
		t.Fatalf("it ended with %v", err)
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there is a copy: %v", err)
	}
	result, err := Pull(t.Context(), folder, items, Options{})
	must(t, err)
	check(t, folder, items, contents)
	// Of the 39 objects that were answered, those that were under way have at most lost what is not a whole block.
	if most := total(contents) - 20*3<<20; result.Downloaded > most {
		t.Errorf("downloaded %d of %d bytes, want at most %d", result.Downloaded, total(contents), most)
	}
}

func sizesOf(n, size int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

// Memory does not grow with what is pulled: 512 MiB in 200 objects, and as one object.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 2 GB")
	}
	const limit = 128 << 20
	for name, n := range map[string]int{"200 objects": 200, "one object": 1} {
		t.Run(name, func(t *testing.T) {
			server := StartS3(t)
			fill(t, server, n, 1<<29/n)
			folder := filepath.Join(t.TempDir(), "copy")
			cmd := startPuller(t, folder, server.Config())
			must(t, cmd.Wait())
			rss := peak(t, folder)
			t.Logf("at most %d MiB of memory", rss>>20)
			if rss > limit {
				t.Errorf("%d MiB, want at most %d", rss>>20, limit>>20)
			}
			m, err := readManifestOf(folder)
			if err != nil || len(m.Files) != n || m.Bytes() != int64(n)*int64(1<<29/n) {
				t.Errorf("%d files, %d bytes, %v", len(m.Files), m.Bytes(), err)
			}
		})
	}
}

func readManifestOf(folder string) (Manifest, error) {
	text, err := os.ReadFile(filepath.Join(folder, manifestName))
	if err != nil {
		return Manifest{}, err
	}
	return readManifest(strings.NewReader(string(text)))
}

// fill uploads n objects without holding them.
func fill(t testing.TB, server *S3, n, size int) *s3.Store {
	t.Helper()
	store := server.Bucket(t, "bucket")
	data := Bytes(min(size, 8<<20), 1)
	for i := range n {
		if _, err := store.Create(t.Context(), fmt.Sprintf("chk-1/f%03d", i), &repeating{data: data, left: size}, int64(size)); err != nil {
			t.Fatal(err)
		}
	}
	return store
}
