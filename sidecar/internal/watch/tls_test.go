package watch_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
	"github.com/drey-flink/drey/sidecar/internal/watch"
)

// authority signs certificates and writes them to files.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.certificate = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.file, _ = a.sign(a.certificate)
	return a
}

// sign writes a certificate and its key; of the authority itself, if it has none yet.
func (a *authority) sign(c *x509.Certificate) (certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.key == nil {
		a.key = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	dir := a.t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// leaf signs a certificate for a name.
func (a *authority) leaf(name string, until time.Time) (certFile, keyFile string) {
	return a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: until,
		NotBefore: time.Now().Add(-2 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

// secure serves a JobManager over TLS, as security.ssl.rest does; with clients, only to those that the authority has signed.
func secure(t *testing.T, jm *flinkresttest.JobManager, certFile, keyFile string, clients *authority) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(jm)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != nil {
		text, err := os.ReadFile(clients.file)
		if err != nil {
			t.Fatal(err)
		}
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		server.TLS.ClientCAs.AppendCertsFromPEM(text)
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func TestFlinkOverTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	good, goodKey := ours.leaf("jobmanager", time.Now().Add(time.Hour))
	old, oldKey := ours.leaf("jobmanager", time.Now().Add(-time.Hour))
	foreign, foreignKey := theirs.leaf("jobmanager", time.Now().Add(time.Hour))
	client, clientKey := ours.leaf("drey", time.Now().Add(time.Hour))
	stranger, strangerKey := theirs.leaf("drey", time.Now().Add(time.Hour))
	named := watch.TLS{CAFile: ours.file, ServerName: "jobmanager", VerifyHostname: true}
	with := func(t watch.TLS, change func(*watch.TLS)) watch.TLS {
		change(&t)
		return t
	}
	for name, c := range map[string]struct {
		cert, key string
		mutual    bool
		tls       watch.TLS
		says      string // "" = it works
	}{
		"the right name":                               {cert: good, key: goodKey, tls: named},
		"another name":                                 {cert: good, key: goodKey, tls: watch.TLS{CAFile: ours.file, VerifyHostname: true}, says: "127.0.0.1"},
		"another name, and no care":                    {cert: good, key: goodKey, tls: watch.TLS{CAFile: ours.file}},
		"another authority":                            {cert: foreign, key: foreignKey, tls: named, says: "unknown authority"},
		"another authority, without care for the name": {cert: foreign, key: foreignKey, tls: watch.TLS{CAFile: ours.file}, says: "unknown authority"},
		"expired":                                      {cert: old, key: oldKey, tls: named, says: "expired"},
		"expired, without care for the name":           {cert: old, key: oldKey, tls: watch.TLS{CAFile: ours.file}, says: "expired"},
		"mutual":                                       {cert: good, key: goodKey, mutual: true, tls: with(named, func(t *watch.TLS) { t.CertFile, t.KeyFile = client, clientKey })},
		"mutual, without a certificate":                {cert: good, key: goodKey, mutual: true, tls: named, says: "certificate required"},
		"mutual, with a stranger's":                    {cert: good, key: goodKey, mutual: true, tls: with(named, func(t *watch.TLS) { t.CertFile, t.KeyFile = stranger, strangerKey }), says: "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			jm := flinkresttest.New(t)
			jm.AddJob(job, "fraud").Complete(1, "file:/nowhere/"+job+"/chk-1", 1000)
			clients := ours
			if !c.mutual {
				clients = nil
			}
			w := &world{t: t, config: watch.DefaultConfig()}
			w.config.Flink, w.config.FlinkTLS = []string{secure(t, jm, c.cert, c.key, clients)}, c.tls
			w.config.Interval, w.config.Dir = 50*time.Millisecond, filepath.Join(t.TempDir(), "watch")
			if err := w.config.Validate(); err != nil {
				t.Fatal(err)
			}
			r := w.start()
			if c.says == "" {
				r.await("the checkpoint is known", func() bool {
					records, err := r.Checkpoints(job, 0)
					return err == nil && len(records) == 1 && records[0].State != checkpoint.Seen
				})
				return
			}
			r.await("flink is refused", func() bool { return r.Status().Error != "" })
			if got := r.Status().Error; !strings.Contains(got, c.says) {
				t.Errorf("got %q, want %q", got, c.says)
			}
			if n := len(jm.Requests()); n > 0 {
				t.Errorf("the JobManager was asked %d times", n)
			}
		})
	}
}
