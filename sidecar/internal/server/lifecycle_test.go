package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/server"
)

func (s *sidecar) dialGRPC(t *testing.T, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.bound.GRPC, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func event(json string) *dreyv1.Payload {
	return &dreyv1.Payload{Encoding: &dreyv1.Payload_Json{Json: []byte(json)}}
}

// From the first signal on: not ready, still answering for the delay, then what is in flight is finished.
func TestDrain(t *testing.T) {
	s := start(t, config.Flag{Name: "drain-delay", Value: "300ms"}, config.Flag{Name: "evaluate-deadline", Value: "20s"})
	conn := s.dialGRPC(t, insecure.NewCredentials())
	health := healthv1.NewHealthClient(conn)
	ctx := context.Background()
	if h, err := health.Check(ctx, &healthv1.HealthCheckRequest{}); err != nil || h.Status != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("health before: %v, %v", h, err)
	}
	overHTTP, overGRPC := make(chan answer, 1), make(chan error, 1)
	go func() {
		a, err := s.try("POST", "http://"+s.bound.HTTP+"/evaluate", `{"function":"wait","event":{"n":1}}`)
		if err != nil {
			a.body = err.Error()
		}
		overHTTP <- a
	}()
	go func() {
		_, err := dreyv1.NewEvaluatorClient(conn).Evaluate(ctx, &dreyv1.EvaluateRequest{Function: "wait", Event: event(`{"n":1}`)})
		overGRPC <- err
	}()
	<-s.entered
	<-s.entered

	s.signals <- syscall.SIGTERM
	eventually(t, "readyz is 503", func() bool { return s.admin("/readyz").status == 503 })
	if h, err := health.Check(ctx, &healthv1.HealthCheckRequest{Service: "drey.v1.Evaluator"}); err != nil || h.Status != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v, %v", h, err)
	}
	if a := s.admin("/metrics"); !strings.Contains(a.body, "drey_draining 1") {
		t.Error("no drey_draining 1")
	}
	if a, err := s.try("POST", "http://"+s.bound.HTTP+"/evaluate", `{"function":"number","event":{"n":1}}`); err == nil && a.status != 200 {
		t.Errorf("during the delay: %d %s", a.status, a.body) // an error: the delay was over before we asked
	}
	eventually(t, "the listener is closed", func() bool {
		conn, err := net.Dial("tcp", s.bound.HTTP)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if a := s.admin("/healthz"); a.status != 200 {
		t.Errorf("healthz: %d", a.status)
	}
	close(s.release)
	if a := <-overHTTP; a.status != 200 {
		t.Errorf("the call in flight over HTTP: %d %s", a.status, a.body)
	}
	if err := <-overGRPC; err != nil {
		t.Errorf("the call in flight over gRPC: %v", err)
	}
	if err := s.wait(); err != nil {
		t.Errorf("end: %v", err)
	}
	if _, err := os.Stat(s.ready); !os.IsNotExist(err) {
		t.Errorf("the ready file is still there: %v", err)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	s := start(t, config.Flag{Name: "evaluate-deadline", Value: "50s"})
	cut := make(chan error, 1)
	go func() {
		_, err := s.try("POST", "http://"+s.bound.HTTP+"/evaluate", `{"function":"wait","event":{"n":1}}`)
		cut <- err
	}()
	<-s.entered
	s.signals <- syscall.SIGTERM
	eventually(t, "draining", func() bool { return s.admin("/readyz").status == 503 })
	s.signals <- syscall.SIGHUP // no second signal
	s.signals <- syscall.SIGINT
	if err := s.wait(); !errors.Is(err, server.ErrCut) {
		t.Errorf("got %v", err)
	}
	if err := <-cut; err == nil {
		t.Error("the call was answered")
	}
	close(s.release) // the function ends, so that nothing is left
}

func TestDrainTimeout(t *testing.T) {
	s := start(t, config.Flag{Name: "evaluate-deadline", Value: "50s"}, config.Flag{Name: "drain-timeout", Value: "50ms"})
	go func() {
		_, _ = s.try("POST", "http://"+s.bound.HTTP+"/evaluate", `{"function":"wait","event":{"n":1}}`)
	}()
	<-s.entered
	s.signals <- syscall.SIGTERM
	if err := s.wait(); !errors.Is(err, server.ErrCut) {
		t.Errorf("got %v", err)
	}
	close(s.release)
}

func TestStaleReadyFileGoesFirst(t *testing.T) {
	s := start(t)
	if s.bound.PID != os.Getpid() {
		t.Errorf("pid %d", s.bound.PID)
	}
	for _, addr := range []string{s.bound.HTTP, s.bound.GRPC, s.bound.Admin} {
		if conn, err := net.Dial("tcp", addr); err != nil {
			t.Error(err)
		} else {
			conn.Close()
		}
	}
}

// writeCertificate makes a self-signed certificate for 127.0.0.1.
func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "drey test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLSReload(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writeCertificate(t, dir, 1)
	s := start(t,
		config.Flag{Name: "http-tls-cert-file", Value: certFile}, config.Flag{Name: "http-tls-key-file", Value: keyFile},
		config.Flag{Name: "grpc-tls-cert-file", Value: certFile}, config.Flag{Name: "grpc-tls-key-file", Value: keyFile},
	)
	serial := func(addr string) string {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		state := conn.ConnectionState()
		return fmt.Sprint(state.PeerCertificates[0].SerialNumber, " ", state.NegotiatedProtocol)
	}
	if got := serial(s.bound.HTTP) + ", " + serial(s.bound.GRPC); got != "1 h2, 1 h2" {
		t.Errorf("at first: %s", got)
	}
	writeCertificate(t, dir, 2)
	if got := serial(s.bound.HTTP) + ", " + serial(s.bound.GRPC); got != "2 h2, 2 h2" {
		t.Errorf("after a change: %s", got)
	}
	if err := os.WriteFile(certFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(s.bound.HTTP); got != "2 h2" {
		t.Errorf("after a bad change: %s", got)
	}
	if !strings.Contains(s.log.String(), "certificate not reloaded, the old one stays in use") {
		t.Error("the log does not tell")
	}

	skip := &tls.Config{InsecureSkipVerify: true}
	transport := &http.Transport{TLSClientConfig: skip, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	s.client.Transport = transport
	if a, err := s.try("POST", "https://"+s.bound.HTTP+"/evaluate", `{"function":"number","event":{"n":1}}`); err != nil || a.status != 200 {
		t.Errorf("over HTTP/2: %v, %v", a, err)
	}
	client := dreyv1.NewEvaluatorClient(s.dialGRPC(t, credentials.NewTLS(skip)))
	if _, err := client.Evaluate(context.Background(), &dreyv1.EvaluateRequest{Function: "number", Event: event(`{"n":1}`)}); err != nil {
		t.Errorf("over gRPC: %v", err)
	}
}

func TestBadCertificate(t *testing.T) {
	dir := t.TempDir()
	certFile, _ := writeCertificate(t, dir, 1)
	_, err := tryStart(t, config.Flag{Name: "http-tls-cert-file", Value: certFile}, config.Flag{Name: "http-tls-key-file", Value: filepath.Join(dir, "nowhere")})
	if err == nil || !strings.HasPrefix(err.Error(), "http.tls: ") {
		t.Errorf("got %v", err)
	}
}

// A call becomes a part of its caller's trace, and the log names the trace.
func TestTraces(t *testing.T) {
	received := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- r.URL.Path + " " + string(body)
	}))
	defer collector.Close()
	s := start(t, config.Flag{Name: "telemetry-otlp-endpoint", Value: collector.URL}, config.Flag{Name: "telemetry-sample-ratio", Value: "0"})
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent := "00-" + traceID + "-00f067aa0ba902b7-01"
	if a := s.do("POST", "/evaluate", `{"function":"bad","event":{"n":1}}`, "traceparent", parent); a.status != 422 {
		t.Fatal(a.body)
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(), "traceparent", parent)
	client := dreyv1.NewEvaluatorClient(s.dialGRPC(t, insecure.NewCredentials()))
	if _, err := client.Evaluate(ctx, &dreyv1.EvaluateRequest{Function: "number", Event: event(`{"n":1}`)}); err != nil {
		t.Fatal(err)
	}
	s.signals <- syscall.SIGTERM
	if err := s.wait(); err != nil {
		t.Error(err)
	}
	raw, err := hex.DecodeString(traceID)
	if err != nil {
		t.Fatal(err)
	}
	got := <-received
	for _, want := range []string{"/v1/traces ", "POST /evaluate", "/drey.v1.Evaluator/Evaluate", string(raw), "function_error"} {
		if !strings.Contains(got, want) {
			t.Errorf("the collector did not get %q", want)
		}
	}
	if !strings.Contains(s.log.String(), `"trace_id":"`+traceID+`"`) {
		t.Errorf("log:\n%s", s.log)
	}
}
