package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// client asks a running sidecar.
type client struct {
	base string
	http *http.Client
}

// newClient takes http://host:port, https://host:port, host:port or unix:/path.
func newClient(server string) (*client, error) {
	if path, unix := strings.CutPrefix(server, "unix:"); unix {
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
		return &client{base: "http://sidecar", http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}, nil
	}
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{fmt.Errorf("--server %q, must be http://host:port, https://host:port or unix:/path", server)}
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		// On the way to this machine there is nobody to guard against, and few certificates name 127.0.0.1.
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	return &client{base: strings.TrimSuffix(server, "/"), http: &http.Client{Transport: transport}}, nil
}

const askTimeout = 5 * time.Second

// get reads a document into v; nil = only the status counts.
func (c *client) get(ctx context.Context, path string, v any) error {
	return c.ask(ctx, http.MethodGet, path, nil, v)
}

// post sends a document, nil is none, and reads the answer into v.
func (c *client) post(ctx context.Context, path string, document, v any) error {
	var body io.Reader
	if document != nil {
		text, err := json.Marshal(document)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	return c.ask(ctx, http.MethodPost, path, body, v)
}

// raw reads a document as it is.
func (c *client) raw(ctx context.Context, path string) (text []byte, err error) {
	return text, c.ask(ctx, http.MethodGet, path, nil, &text)
}

// statusError is an answer that is an error.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

func (c *client) ask(ctx context.Context, method, path string, body io.Reader, v any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: is the sidecar running? start it with drey serve, or name it with --server", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK && (method == http.MethodGet || resp.StatusCode/100 != 2) {
		var p problem.Document
		if json.Unmarshal(text, &p) == nil && p.Code != "" {
			return &statusError{resp.StatusCode, fmt.Sprintf("%s: %s: %s", path, p.Code, p.Detail)}
		}
		return &statusError{resp.StatusCode, fmt.Sprintf("%s: %s: %s", path, resp.Status, strings.TrimSpace(string(text)))}
	}
	if v == nil {
		return nil
	}
	if raw, ok := v.(*[]byte); ok {
		*raw = text
		return nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	return nil
}
