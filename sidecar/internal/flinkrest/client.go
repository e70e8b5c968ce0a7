// Package flinkrest talks to a JobManager over Flink's REST API (2.3; the parts used here are the same since 1.20). It
// decodes leniently, as Flink's own answers need: unknown keys appear with each version, a number may be the string
// "NaN" or -1 for "not yet".
package flinkrest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// maxBody bounds an answer; the largest that Flink gives are job plans and lists of metrics.
const maxBody = 32 << 20

// Client calls the JobManagers of one cluster. It is safe for concurrent use.
type Client struct {
	addresses []string
	good      atomic.Uint32 // index of the address that answered last
	http      *http.Client
}

// New returns a client for base URLs such as http://127.0.0.1:8081. Each JobManager of a highly available cluster answers
// for the leader, so any of them will do: the one that answered last is asked first. A redirect is not followed: Flink
// sends none, and what does might be another host.
func New(addresses ...string) *Client { return NewTLS(nil, addresses...) }

// NewTLS is New for https URLs: settings hold the trusted roots and, for Flink's mutual authentication
// (security.ssl.rest.authentication-enabled), the client's certificate.
func NewTLS(settings *tls.Config, addresses ...string) *Client {
	c := &Client{http: &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if settings != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = settings
		c.http.Transport = transport
	}
	for _, address := range addresses {
		c.addresses = append(c.addresses, strings.TrimRight(address, "/"))
	}
	return c
}

// Close ends idle connections. The client may be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is an answer of the JobManager that is not a success.
type Error struct {
	Status  int
	Message string // the first line of what Flink says; the rest is a Java stack trace
	Cause   string // the first line of the innermost cause in that trace, if there is one
}

func (e *Error) Error() string {
	if 300 <= e.Status && e.Status <= 399 {
		return fmt.Sprintf("flink answered %d, a redirect, which no JobManager sends: is the address a proxy's?", e.Status)
	}
	return fmt.Sprintf("flink answered %d: %s", e.Status, e.Message)
}

// IsNotFound says whether Flink does not know what was asked for (any more).
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// IsUnavailable says whether the same request may succeed later: no JobManager could be reached, none leads (503 during
// an election), or the job is still initializing (Flink answers that with 500).
func IsUnavailable(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status == http.StatusServiceUnavailable ||
			e.Status == http.StatusInternalServerError && strings.Contains(e.Message+e.Cause, "UnavailableDispatcherOperationException")
	}
	transport, ok := errors.AsType[*url.Error](err)
	if !ok || errors.Is(err, context.Canceled) {
		return false
	}
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](transport)
	return !badCertificate
}

func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, "", nil, out)
}

// do asks one JobManager after the other until one is available. body is sent again each time.
func (c *Client) do(ctx context.Context, method, path, contentType string, body io.ReadSeeker, out any) error {
	var err error
	first := c.good.Load()
	for i := range uint32(len(c.addresses)) {
		n := (first + i) % uint32(len(c.addresses))
		if body != nil {
			if _, err := body.Seek(0, io.SeekStart); err != nil {
				return err
			}
		}
		err = c.ask(ctx, c.addresses[n], method, path, contentType, body, out)
		if !IsUnavailable(err) {
			c.good.Store(n)
			return err
		}
	}
	return err
}

func (c *Client) ask(ctx context.Context, address, method, path, contentType string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, address+path, body)
	if err != nil {
		return err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("flink: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return fmt.Errorf("flink %s: %w", path, &url.Error{Op: method, URL: address, Err: err}) // as if it had not answered
	case len(text) > maxBody:
		return fmt.Errorf("flink %s: answer of more than %d bytes", path, maxBody)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return newError(resp.StatusCode, text)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("flink %s: answer is not what Flink sends: %w; does %s lead to a JobManager?", path, err, address)
	}
	return nil
}

// newError reads {"errors": [message, stack trace]}, where the message may be a stack trace itself. Where it only says
// "Internal server error.", the trace says more.
func newError(status int, body []byte) *Error {
	var answer struct{ Errors []string }
	if json.Unmarshal(body, &answer) != nil || len(answer.Errors) == 0 {
		return &Error{Status: status, Message: "(no message)"}
	}
	message, trace := answer.Errors[0], strings.Join(answer.Errors, "\n")
	if len(answer.Errors) > 1 && strings.HasPrefix(message, "Internal server error") {
		message = rootCause(strings.TrimPrefix(answer.Errors[1], "<Exception on server side:\n"))
	}
	e := &Error{Status: status, Message: shorten(message)}
	if cause := shorten(rootCause(trace)); strings.Contains(trace, causedBy) && cause != e.Message {
		e.Cause = cause
	}
	return e
}

// shorten is the first line of a text, cut if it is long.
func shorten(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	const longest = 500
	if len(line) > longest {
		line = strings.ToValidUTF8(line[:longest], "") + "..."
	}
	return line
}

const causedBy = "Caused by: "

// rootCause is the first line of the innermost exception of a Java stack trace.
func rootCause(trace string) string {
	if i := strings.LastIndex(trace, causedBy); i >= 0 {
		trace = trace[i+len(causedBy):]
	}
	line, _, _ := strings.Cut(trace, "\n")
	return line
}
