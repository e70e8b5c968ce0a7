package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/credentials/insecure"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/config"
)

// raw sends bytes on a connection of its own.
func (s *sidecar) raw(text string) *net.TCPConn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.bound.HTTP)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		s.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

func readAnswer(t *testing.T, conn net.Conn) answer {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text), resp.Close}
}

func TestHalfClosedConnectionGetsItsAnswer(t *testing.T) {
	s := start(t)
	body := `{"function":"wait","event":{"n":1}}`
	conn := s.raw(fmt.Sprintf("POST /evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	<-s.entered
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	// The server learns of the half-close only by its background read; another whole call gives it time to.
	for range 20 {
		s.do("POST", "/evaluate", `{"function":"number","event":{"n":1}}`)
	}
	close(s.release)
	if a := readAnswer(t, conn); a.status != 200 || !strings.Contains(a.body, `{"value":true}`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestClientThatGoesAwayIsAnsweredOnItsNextTry(t *testing.T) {
	s := start(t)
	body := `{"function":"wait","id":"once","event":{"n":1}}`
	conn := s.raw(fmt.Sprintf("POST /evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	<-s.entered
	conn.Close()
	close(s.release)
	if a := s.do("POST", "/evaluate", body); a.status != 200 || !strings.Contains(a.body, `{"value":true}`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if len(s.entered) != 0 {
		t.Error("the function ran twice")
	}
}

func TestSlowClient(t *testing.T) {
	s := start(t, config.Flag{Name: "http-read-timeout", Value: "100ms"}, config.Flag{Name: "http-read-header-timeout", Value: "100ms"})
	conn := s.raw("POST /evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"event\":")
	if a := readAnswer(t, conn); a.status != 504 || a.code() != "deadline_exceeded" || !a.last {
		t.Errorf("slow body: %d %v %s", a.status, a.header, a.body)
	}
	conn = s.raw("POST /evaluate HTTP/1.1\r\nHost: x\r\nX-Slow")
	if rest, err := io.ReadAll(conn); err != nil || strings.Contains(string(rest), " 200 ") { // the connection ends
		t.Errorf("slow headers: %q, %v", rest, err)
	}
}

func TestBodyThatEndsTooEarly(t *testing.T) {
	s := start(t)
	conn := s.raw("POST /evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"event\":1}")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, conn); a.status != 400 || !strings.Contains(a.body, "the body ends after 11 of 100 bytes") {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// A client that sends all of its request before it reads must get the 413, not a reset: it would take a reset for an
// outage and send the same record again.
func TestLargeBody(t *testing.T) {
	s := start(t)
	body := `{"event":"` + strings.Repeat("x", 5<<20) + `"}`
	for name, head := range map[string]string{
		"announced": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
		"chunked":   fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body),
	} {
		conn := s.raw("POST /evaluate HTTP/1.1\r\nHost: x\r\n" + head)
		if a := readAnswer(t, conn); a.status != 413 || a.code() != "body_too_large" || !strings.Contains(a.body, "4194304") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	conn := s.raw(fmt.Sprintf("POST /evaluate HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body)))
	if a := readAnswer(t, conn); a.status != 413 {
		t.Errorf("asked before sending: %d", a.status)
	}
	if a := s.do("POST", "/evaluate", `{"function":"number","event":{"n":1,"name":"`+strings.Repeat("x", 3<<20)+`"}}`); a.status != 200 || len(a.body) < 3<<20 {
		t.Errorf("3 MB: %d", a.status)
	}
}

const goodRules = "version: good\nrules:\n  - {name: large, when: event.n > 5, score: 0.9, decision: alert}\n"

func TestRulesFileBreaksWhileServing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(goodRules)
	s := start(t, config.Flag{Name: "rules-file", Value: file})
	decision := func() string { return s.do("POST", "/evaluate", `{"function":"rules","event":{"n":7}}`).body }
	if got := decision(); !strings.Contains(got, `"decision":"alert"`) {
		t.Fatalf("got %s", got)
	}

	write("rules:\n  - {name: broken, when: event.n >, score: 2}\n")
	s.signals <- syscall.SIGHUP
	eventually(t, "the status tells of the bad file", func() bool { return strings.Contains(s.do("GET", "/v1/status", "").body, `"last_error"`) })
	if got := decision(); !strings.Contains(got, `"decision":"alert"`) {
		t.Errorf("the old rules must stay in force, got %s", got)
	}
	if got := s.admin("/metrics").body; !strings.Contains(got, "drey_rules_reload_successful 0") {
		t.Error("the metric must be 0")
	}
	eventually(t, "the log tells", func() bool { return strings.Contains(s.log.String(), "the old ones stay in force") })
	if a := s.do("GET", "/readyz", ""); a.status != 200 {
		t.Errorf("readiness: %d", a.status)
	}

	write(strings.ReplaceAll(goodRules, "alert", "review")) // without a signal: the file is watched
	eventually(t, "the new rules are in force", func() bool { return strings.Contains(decision(), `"decision":"review"`) })
	if got := s.admin("/metrics").body; !strings.Contains(got, "drey_rules_reload_successful 1") {
		t.Error("the metric must be 1 again")
	}
}

func TestAddressTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	_, err = tryStart(t, config.Flag{Name: "grpc-addr", Value: addr})
	want := "grpc.addr " + addr + ": bind: address already in use: end the program that listens there, or choose another address with --grpc-addr (port 0 = any free port)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestUnixSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "http.sock")
	socket := config.Flag{Name: "http-addr", Value: "unix:" + path}

	// What a crashed run leaves: a socket that nobody listens on.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()

	s := start(t, socket, config.Flag{Name: "grpc-addr", Value: "unix:" + filepath.Join(dir, "grpc.sock")})
	if s.bound.HTTP != "unix:"+path {
		t.Errorf("bound %s", s.bound.HTTP)
	}
	rpc := dreyv1.NewEvaluatorClient(s.dialGRPC(t, insecure.NewCredentials()))
	if list, err := rpc.ListFunctions(context.Background(), &dreyv1.ListFunctionsRequest{}); err != nil || len(list.Functions) < 5 {
		t.Errorf("gRPC over a socket: %v, %v", list, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}
	defer transport.CloseIdleConnections()
	s.client.Transport = transport
	if a, err := s.try("POST", "http://x/evaluate", `{"function":"number","event":{"n":3}}`); err != nil || a.status != 200 {
		t.Errorf("got %v, %v", a, err)
	}
	if _, err := tryStart(t, socket); err == nil || !strings.Contains(err.Error(), "address already in use: end the program that listens there") {
		t.Errorf("a second sidecar on the socket: %v", err)
	}
	s.signals <- syscall.SIGTERM
	if err := s.wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tryStart(t, socket); err == nil || !strings.Contains(err.Error(), "a file that is no socket") {
		t.Errorf("a file in the way: %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "precious" {
		t.Error("the file was touched")
	}
	if _, err := tryStart(t, config.Flag{Name: "http-addr", Value: "unix:" + filepath.Join(dir, strings.Repeat("long", 40))}); err == nil || !strings.Contains(err.Error(), "choose a shorter one") {
		t.Errorf("a long path: %v", err)
	}
}

func TestUnwritableDataDir(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"below a file": filepath.Join(file, "data"), "a file": file, "a file system of the kernel": "/proc/drey"} {
		_, err := tryStart(t, config.Flag{Name: "data-dir", Value: path})
		if err == nil || !strings.HasPrefix(err.Error(), "data_dir "+path+": ") || !strings.HasSuffix(err.Error(), "give a folder that this user may write to with --data-dir") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDataDirIsForOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for", "us")
	flag := config.Flag{Name: "data-dir", Value: dir}
	s := start(t, flag)
	if _, err := tryStart(t, flag); err == nil || !strings.Contains(err.Error(), "another sidecar uses it") {
		t.Errorf("got %v", err)
	}
	s.signals <- syscall.SIGTERM
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	// What the runtime writes when it dies.
	if err := os.WriteFile(filepath.Join(dir, "crash.log"), []byte("fatal error: concurrent map writes\n\ngoroutine 1:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = start(t, flag)
	if got := s.do("GET", "/v1/status", "").body; !strings.Contains(got, `"message":"fatal error: concurrent map writes"`) {
		t.Errorf("status %s", got)
	}
}
