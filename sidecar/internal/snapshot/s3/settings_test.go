package s3_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	. "github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

// The real server's answers to what people set wrongly.
func TestSetWrongly(t *testing.T) {
	server := StartS3(t)
	Put(t, server.Bucket(t, "bucket"), "k", []byte("x"))
	for name, c := range map[string]struct {
		bucket string
		change func(*s3.Config)
		kind   error
		hint   string
	}{
		"unknown user": {"bucket", func(c *s3.Config) { c.AccessKey = "nobody" }, snapshot.ErrDenied, "access key"},
		"wrong secret": {"bucket", func(c *s3.Config) { c.SecretKey = "wrong" }, snapshot.ErrDenied, "secret key"},
		"wrong region": {"bucket", func(c *s3.Config) { c.Region = "us-east-1" }, snapshot.ErrNoStore, "region"},
		"no bucket":    {"another", func(*s3.Config) {}, snapshot.ErrNoStore, "bucket"},
		"nobody there": {"bucket", func(c *s3.Config) { c.Endpoint, c.Attempts = "http://127.0.0.1:1", 2 }, snapshot.ErrUnavailable, "reached"},
		"no such host": {"bucket", func(c *s3.Config) { c.Endpoint, c.Attempts = "http://nowhere.invalid", 2 }, snapshot.ErrUnavailable, "host"},
	} {
		t.Run(name, func(t *testing.T) {
			config := server.Config()
			c.change(&config)
			s := Bucket(t, config, c.bucket)
			_, statErr := s.Stat(t.Context(), "k")
			_, readErr := Read(t.Context(), s, "k", snapshot.Whole())
			_, createErr := s.Create(t.Context(), "new", strings.NewReader("x"), 1)
			var listErr error
			for _, err := range s.List(t.Context(), "") {
				listErr = err
			}
			for op, err := range map[string]error{"stat": statErr, "open": readErr, "create": createErr, "list": listErr} {
				var e *snapshot.Error
				if !errors.As(err, &e) || !errors.Is(err, c.kind) || !strings.Contains(e.Hint, c.hint) || errors.Is(err, snapshot.ErrNotFound) {
					t.Errorf("%s: %v", op, err)
				}
			}
		})
	}
}

func TestNoCredentials(t *testing.T) {
	nothing := filepath.Join(t.TempDir(), "nothing")
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_REGION": "",
		"AWS_DEFAULT_REGION": "", "AWS_SHARED_CREDENTIALS_FILE": nothing, "AWS_CONFIG_FILE": nothing,
	} {
		t.Setenv(name, value)
	}
	_, err := Bucket(t, s3.Config{Endpoint: "http://127.0.0.1:1"}, "bucket").Stat(t.Context(), "k")
	if !errors.Is(err, snapshot.ErrDenied) || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("got %v", err)
	}
	if _, err := s3.New(t.Context(), s3.Config{}); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("no region: %v", err)
	}
}

// The chain of the SDK finds what the environment has.
func TestCredentialChain(t *testing.T) {
	server := StartS3(t)
	Put(t, server.Bucket(t, "bucket"), "k", []byte("x"))
	config := server.Config()
	t.Setenv("AWS_ACCESS_KEY_ID", config.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", config.SecretKey)
	t.Setenv("AWS_REGION", config.Region)
	got, err := Read(t.Context(), Bucket(t, s3.Config{Endpoint: server.URL, PathStyle: true}, "bucket"), "k", snapshot.Whole())
	if err != nil || string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A server whose certificate nobody vouches for, then one that AWS_CA_BUNDLE vouches for.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"1"`)
		io.WriteString(w, "content") //nolint:errcheck // a test
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that is to fail
	server.StartTLS()
	defer server.Close()
	config := s3.Config{Endpoint: server.URL, Region: "us-east-1", PathStyle: true, AccessKey: "a", SecretKey: "b", Attempts: 1}
	_, err := Read(t.Context(), Bucket(t, config, "bucket"), "k", snapshot.Whole())
	if !errors.Is(err, snapshot.ErrDenied) || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
		t.Errorf("got %v", err)
	}
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("the cause is lost: %v", err)
	}
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	got, err := Read(t.Context(), Bucket(t, config, "bucket"), "k", snapshot.Whole())
	if err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
}
