package server

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/drey-flink/drey/sidecar/internal/config"
)

// certificate is a pair of files that is read again when one of them has changed. The files are looked at once a
// handshake, which costs little beside the handshake itself and needs no watcher that could miss a change.
type certificate struct {
	section string
	files   config.TLS
	log     *slog.Logger

	mu       sync.Mutex
	loaded   *tls.Certificate
	certInfo fs.FileInfo
	keyInfo  fs.FileInfo
}

// newCertificate reads the files, which must be good now.
func newCertificate(section string, files config.TLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{section: section, files: files, log: log}
	if err := c.reload(); err != nil {
		return nil, fmt.Errorf("%s.tls: %w", section, err)
	}
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil }}
}

// get returns the newest good pair. A change in the middle of which we look (one file new, one old) does not fit
// together, keeps the old pair, and is looked at again in the next handshake.
func (c *certificate) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.changed() {
		return c.loaded
	}
	if err := c.reload(); err != nil {
		c.log.Error("certificate not reloaded, the old one stays in use", "listener", c.section, "error", err)
	} else {
		c.log.Info("certificate reloaded", "listener", c.section, "file", c.files.CertFile)
	}
	return c.loaded
}

func (c *certificate) changed() bool {
	return differs(c.files.CertFile, c.certInfo) || differs(c.files.KeyFile, c.keyInfo)
}

func differs(path string, last fs.FileInfo) bool {
	now, err := os.Stat(path)
	return err == nil && (!now.ModTime().Equal(last.ModTime()) || now.Size() != last.Size() || !os.SameFile(now, last))
}

func (c *certificate) reload() error {
	// Looked at before they are read: a change after that is seen in the next handshake.
	certInfo, err := os.Stat(c.files.CertFile)
	if err != nil {
		return err
	}
	keyInfo, err := os.Stat(c.files.KeyFile)
	if err != nil {
		return err
	}
	c.certInfo, c.keyInfo = certInfo, keyInfo
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return err
	}
	c.loaded = &pair
	return nil
}
