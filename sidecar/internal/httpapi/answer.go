package httpapi

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/oklog/ulid/v2"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// Values of headers that are the same in every answer; shared, since net/http only reads them.
var (
	jsonHeader    = []string{"application/json"}
	problemHeader = []string{"application/problem+json"}
	closeHeader   = []string{"close"}
	noStoreHeader = []string{"no-store"}
	inBandHeader  = []string{"errors=in-band"}
)

// buffer is the memory in which a request is read and its answer written.
type buffer struct{ bytes []byte }

// keptBuffer is the largest buffer that goes back to the pool: one huge request must not pin its memory for ever.
const keptBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, 4<<10)} }}

func newBuffer() *buffer {
	b := buffers.Get().(*buffer)
	b.bytes = b.bytes[:0]
	return b
}

func (b *buffer) release() {
	if cap(b.bytes) <= keptBuffer {
		buffers.Put(b)
	}
}

// send writes a whole answer.
func (x *exchange) send(status int, contentType []string, body []byte) {
	h := x.Header()
	h["Content-Type"] = contentType
	if len(body) > 2<<10 { // net/http counts shorter bodies by itself
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.WriteHeader(status)
	_, _ = x.Write(body) // an error means that the caller is gone: there is nobody to tell
}

// decided names the decision in the header and in the log.
func (x *exchange) decided(id, function string) {
	x.call.DecisionID, x.call.Function, x.call.Refused = id, function, false
	x.headers(id)
}

func (x *exchange) headers(id string) {
	value := []string{headerValue(id)}
	h := x.Header()
	h["Decision-Id"] = value
	if x.call.RequestID == "" {
		x.call.RequestID = id
		h["X-Request-Id"] = value
	}
}

// headerValue is an id as a header can carry it: what is not printable ASCII, and % itself, is percent-encoded.
func headerValue(id string) string {
	for i := range len(id) {
		if c := id[i]; c <= 0x20 || c >= 0x7f || c == '%' {
			return url.PathEscape(id)
		}
	}
	return id
}

// appendAnswer writes {"id","result","timestamp","function"}, and what the answer is worth if it rests on state.
func appendAnswer(dst []byte, answer evaluate.Answer) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, answer.ID)
	dst = append(dst, `,"result":`...)
	dst = append(dst, answer.Result...)
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, answer.Time.UnixMilli(), 10)
	dst = append(dst, `,"function":`...)
	dst = appendString(dst, answer.Function)
	if s := answer.State; s != nil {
		dst = append(dst, `,"state":{"guarantee":`...)
		dst = appendString(dst, s.Guarantee)
		dst = append(dst, `,"version":`...)
		dst = append(strconv.AppendUint(dst, s.Version, 10), '}')
	}
	return append(dst, '}')
}

func appendString(dst []byte, text string) []byte {
	dst, _ = jsontext.AppendQuote(dst, text) // invalid UTF-8, the only error, was refused when it came in
	return dst
}

// itemError is a problem inside an answer: of one item of a batch, or in band.
type itemError struct {
	Code         problem.Code        `json:"code"`
	Detail       string              `json:"detail,omitempty"`
	Retryable    bool                `json:"retryable"`
	RetryAfterMS int64               `json:"retry_after_ms,omitempty"`
	Violations   []problem.Violation `json:"violations,omitempty"`
}

// appendFailure writes {"id","error":{...}}.
func appendFailure(dst []byte, p *problem.Error) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, p.DecisionID)
	dst = append(dst, `,"error":`...)
	text, _ := json.Marshal(itemError{ // plain data: cannot fail
		Code: p.Code, Detail: p.Detail, Retryable: p.Code.Retryable(), RetryAfterMS: p.RetryAfter.Milliseconds(), Violations: p.Violations,
	})
	return append(append(dst, text...), '}')
}

// fail answers with a problem. The id is the caller's, if it could be read; every problem has one, since with it the
// line in the log is found.
func (a *API) fail(x *exchange, err error, id string) {
	p := *problem.From(err)
	switch {
	case p.DecisionID != "":
	case id != "":
		p.DecisionID = id
	default:
		p.DecisionID = ulid.Make().String()
	}
	x.call.Err, x.call.DecisionID = &p, p.DecisionID
	x.headers(p.DecisionID)
	h := x.Header()
	if inBand(x.request, p.Code) {
		h["Preference-Applied"] = inBandHeader
		out := newBuffer()
		defer out.release()
		out.bytes = appendFailure(out.bytes, &p)
		x.send(http.StatusOK, jsonHeader, out.bytes)
		return
	}
	if status := p.Code.HTTP(); status == http.StatusServiceUnavailable || p.RetryAfter > 0 {
		h["Retry-After"] = []string{strconv.Itoa(retryAfter(p.RetryAfter))}
	}
	h["Cache-Control"] = noStoreHeader
	text, _ := json.Marshal(p.Document()) // plain data: cannot fail
	x.send(p.Code.HTTP(), problemHeader, text)
}

// retryAfter is whole seconds, at least one: zero would be an invitation to come back at once.
func retryAfter(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// inBand says whether the caller of /evaluate wants this problem as an answer with status 200 (Prefer, RFC 7240): one
// that a retry would not change, so that a client which fails its job on any other status gets past the record.
func inBand(r *http.Request, code problem.Code) bool {
	values := r.Header["Prefer"]
	if len(values) == 0 || code.Retryable() || code.OfSession() || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/evaluate") {
		return false
	}
	switch code {
	case problem.Unauthenticated, problem.UnsupportedMediaType, problem.Canceled:
		return false // not about this record
	}
	for _, value := range values {
		for each := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(each), "errors=in-band") {
				return true
			}
		}
	}
	return false
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.fail(w.(*exchange), problem.New(problem.NotFound, "no resource %q; GET /openapi.yaml describes all of them", clip(r.URL.Path)), "")
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func (a *API) methodNotAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range methods {
			if routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
				allowed = append(allowed, method)
			}
		}
		if slices.Contains(allowed, http.MethodGet) && !slices.Contains(allowed, http.MethodHead) {
			allowed = append(allowed, http.MethodHead)
		}
		allow := strings.Join(allowed, ", ")
		w.Header().Set("Allow", allow)
		a.fail(w.(*exchange), problem.New(problem.MethodNotAllowed, "%s takes %s", clip(r.URL.Path), allow), "")
	}
}

func clip(text string) string {
	const longest = 100
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
