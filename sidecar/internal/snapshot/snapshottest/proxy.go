package snapshottest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
)

// Proxy stands before an S3 server and breaks things by script.
type Proxy struct {
	URL    string
	server *S3
	script Script
	client http.Client
	ended  chan struct{} // closed when the test ends

	mu       sync.Mutex
	requests []*http.Request
	sent     int64
}

// Script says what becomes of request n, counted from 1 over all requests. nil: it passes.
type Script func(n int, r *http.Request) Fault

// Fault answers a request in the server's place, or after it.
type Fault func(p *Proxy, w http.ResponseWriter, r *http.Request)

// StartProxy starts a proxy that ends with the test.
func StartProxy(t testing.TB, server *S3, script Script) *Proxy {
	p := &Proxy{server: server, script: script, ended: make(chan struct{})}
	front := httptest.NewServer(p)
	t.Cleanup(func() {
		close(p.ended)
		front.CloseClientConnections()
		front.Close()
		p.client.CloseIdleConnections()
	})
	p.URL = front.URL
	return p
}

// Config leads to the proxy.
func (p *Proxy) Config() s3.Config {
	config := p.server.Config()
	config.Endpoint = p.URL
	return config
}

// Requests are those that have come so far.
func (p *Proxy) Requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*http.Request(nil), p.requests...)
}

// Sent is how many bytes of objects the proxy has sent.
func (p *Proxy) Sent() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests = append(p.requests, r)
	n := len(p.requests)
	p.mu.Unlock()
	var fault Fault
	if p.script != nil {
		fault = p.script(n, r)
	}
	if fault == nil {
		fault = Pass
	}
	fault(p, w, r)
}

// forward asks the server. The host stays as it was signed. If the server is away, so is the proxy.
func (p *Proxy) forward(r *http.Request) *http.Response {
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", p.server.address
	answer, err := p.client.Do(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return answer
}

func (p *Proxy) count(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += n
}

// pass sends the server's answer, changed.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, body func(io.Reader) io.Reader, length func(int64) int64) {
	from := p.forward(r)
	defer from.Body.Close() //nolint:errcheck // read as far as it goes
	head(w, from, length(from.ContentLength))
	n, err := io.Copy(w, body(from.Body))
	p.count(n)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// head sends the head of the server's answer, as if its body were length bytes long.
func head(w http.ResponseWriter, from *http.Response, length int64) {
	for name, values := range from.Header {
		w.Header()[name] = values
	}
	if length >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	}
	w.WriteHeader(from.StatusCode)
}

func same(r io.Reader) io.Reader { return r }
func equal(n int64) int64        { return n }
