package snapshottest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"golang.org/x/sys/unix"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
)

// What the server knows.
const (
	accessKey = "testkey"
	secretKey = "testsecret"
	region    = "eu-central-1"
)

const (
	childAddress = "DREY_TEST_S3_ADDRESS"
	childFolder  = "DREY_TEST_S3_FOLDER"
)

// Main is the TestMain of packages whose tests use an S3 server: the server is this test binary, started once more. It is a
// process of its own since the library serves once per process, and since a test may want to end it.
func Main(m *testing.M) {
	if address := os.Getenv(childAddress); address != "" {
		if err := serve(address, os.Getenv(childFolder)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serve runs versitygw over a folder until standard input ends, which it does with the test however that ends.
func serve(address, folder string) error {
	backend, err := posix.New(folder, meta.XattrMeta{}, posix.PosixOpts{
		NewDirPerm: 0o755, NewFilePerm: 0o644, Concurrency: 100, CopyObjectThreshold: 5 << 30, IOBufferSize: 1 << 20,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // however it ended
		stop()
	}()
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: accessKey, RootUserSecret: secretKey, Region: region, Ports: []string{address},
		MaxConnections: 1000, MaxRequests: 1000, MultipartMaxParts: 10_000, Quiet: true, KeepAlive: true,
	})
}

// S3 is a real S3 server: versitygw over a folder, in which each folder is a bucket and each file an object.
type S3 struct {
	URL    string
	Folder string

	t       testing.TB
	address string

	mu      sync.Mutex // a script may stop it while the test goes on
	running *server    // nil: stopped
}

// server is its process.
type server struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}
}

// StartS3 starts a server that ends with the test.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Setxattr(folder, "user.drey.probe", []byte{1}, 0); err != nil {
		t.Skipf("the S3 server keeps ETags in extended attributes, which %s has not: %v; set TMPDIR to a folder on ext4, xfs or btrfs", folder, err)
	}
	s := &S3{t: t, Folder: folder}
	t.Cleanup(s.Stop)
	for range 5 { // a port may be taken between its choice and its use
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.address = listener.Addr().String()
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		s.URL = "http://" + s.address
		if s.start() {
			return s
		}
	}
	t.Fatal("the S3 server does not start")
	return nil
}

// Start starts the server again after Stop, at the same address with the same objects.
func (s *S3) Start() {
	s.t.Helper()
	if !s.start() {
		s.t.Fatal("the S3 server does not start again")
	}
}

func (s *S3) start() bool {
	cmd, ended := exec.Command(os.Args[0]), make(chan struct{}) //nolint:gosec // this test binary
	cmd.Env = append(os.Environ(), childAddress+"="+s.address, childFolder+"="+s.Folder)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.running = &server{cmd: cmd, stdin: stdin, ended: ended}
	s.mu.Unlock()
	go func() {
		cmd.Wait() //nolint:errcheck // it is killed
		close(ended)
	}()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		select {
		case <-ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
		if answer, err := http.Get(s.URL); err == nil { //nolint:noctx // of this machine
			answer.Body.Close() //nolint:errcheck // any answer will do
			return true
		}
	}
	return false
}

// Stop kills the server.
func (s *S3) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return
	}
	if err := s.running.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	<-s.running.ended
	s.running.stdin.Close() //nolint:errcheck // the pipe's other end is gone
	s.running = nil
}

// Config leads to the server, and tries again quickly.
func (s *S3) Config() s3.Config {
	return s3.Config{
		Endpoint: s.URL, Region: region, PathStyle: true, AccessKey: accessKey, SecretKey: secretKey, MaxBackoff: 20 * time.Millisecond,
	}
}

// Bucket makes a bucket and returns its store.
func (s *S3) Bucket(t testing.TB, name string) *s3.Store {
	t.Helper()
	if err := os.Mkdir(filepath.Join(s.Folder, name), 0o755); err != nil {
		t.Fatal(err)
	}
	return Bucket(t, s.Config(), name)
}

// Bucket returns the store of a bucket as the configuration leads to it.
func Bucket(t testing.TB, config s3.Config, name string) *s3.Store {
	t.Helper()
	client, err := s3.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	store, err := client.Bucket(name)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// BucketName makes a bucket's name of a test's.
func BucketName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text))
	return "b" + name[max(0, len(name)-50):] + "b"
}
