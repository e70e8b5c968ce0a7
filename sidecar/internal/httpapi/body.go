package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// read reads the body of a request into a buffer, which the caller releases. The error is a *problem.Error.
func (a *API) read(r *http.Request) (*buffer, error) {
	if err := a.acceptable(r); err != nil {
		return nil, err
	}
	if r.ContentLength > a.MaxBodyBytes {
		return nil, a.tooLarge(r)
	}
	b := newBuffer()
	for {
		if len(b.bytes) == cap(b.bytes) {
			b.bytes = append(b.bytes, 0)[:len(b.bytes)] // grows with what arrives, not with what is announced
		}
		n, err := r.Body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > a.MaxBodyBytes:
			b.release()
			return nil, a.tooLarge(r)
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			got := len(b.bytes)
			b.release()
			return nil, unread(r, got, err)
		}
	}
}

// acceptable looks at the headers only.
func (a *API) acceptable(r *http.Request) error {
	if given := r.Header["Content-Type"]; len(given) > 0 && !isJSON(given[0]) {
		return problem.New(problem.UnsupportedMediaType, "the content type is %q; send application/json", clip(given[0]))
	}
	if given := r.Header["Content-Encoding"]; len(given) > 0 && given[0] != "identity" {
		return problem.New(problem.UnsupportedMediaType, "the content encoding is %q; send the JSON as it is", clip(given[0]))
	}
	if len(r.Header["Origin"]) > 0 || len(r.Header["Sec-Fetch-Site"]) > 0 {
		// A web page that a browser shows on this machine must not call the sidecar behind its user's back.
		if err := http.NewCrossOriginProtection().Check(r); err != nil {
			return problem.New(problem.InvalidRequest, "%v", err)
		}
	}
	return nil
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	// What `curl -d` claims of every body, so it is as good as no claim.
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json") || media == "application/x-www-form-urlencoded"
}

// tooLarge reads a moderate rest of the body before it refuses it: a client that is still sending when the connection is
// closed would see a reset, take it for an outage, and send the same record again and again.
func (a *API) tooLarge(r *http.Request) error {
	const patience = 16
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, patience*a.MaxBodyBytes)
	}
	return problem.New(problem.BodyTooLarge, "the limit is %d bytes (http.max_body_bytes)", a.MaxBodyBytes)
}

func unread(r *http.Request, got int, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problem.Error{Code: problem.DeadlineExceeded, Err: err,
			Detail: "the request did not arrive in time (http.read_timeout); the function was not asked"}
	case errors.Is(err, io.ErrUnexpectedEOF) && r.ContentLength >= 0:
		return problem.New(problem.InvalidRequest, "the body ends after %d of %d bytes", got, r.ContentLength)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problem.New(problem.InvalidRequest, "the body ends in the middle of a chunk, after %d bytes", got)
	default:
		return problem.New(problem.InvalidRequest, "the body cannot be read: %v", err)
	}
}
