package httpapi

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// Decisions is what the adapter needs of a decision log's reader.
type Decisions interface {
	Lookup(ctx context.Context, id string) ([]*decisions.Decision, error)
	Range(ctx context.Context, q decisions.Query) iter.Seq2[decisions.Entry, error]
	Last() (uint64, error)
}

// Bounds of one answer; each decision of the log may be some MB long.
const (
	someDecisions    = 100
	maxDecisions     = 1000
	maxDecisionBytes = 16 << 20
)

// listDecisions answers from the folder: what was decided some milliseconds ago may still be on its way there.
func (a *API) listDecisions(w http.ResponseWriter, r *http.Request) {
	x, query := w.(*exchange), r.URL.Query()
	if a.Decisions == nil {
		a.fail(x, problem.New(problem.NotFound, "this sidecar keeps no decisions: set decisions.dir (--decisions-dir DIR)"), "")
		return
	}
	out, err := newDecisionList()
	if err != nil {
		a.fail(x, err, "")
		return
	}
	if query.Has("id") {
		err = a.lookupDecision(r.Context(), query.Get("id"), out)
	} else {
		err = a.rangeDecisions(r.Context(), query, out)
	}
	if err != nil {
		a.fail(x, err, "")
		return
	}
	x.Header()["Cache-Control"] = noStoreHeader
	x.send(http.StatusOK, jsonHeader, out.end())
}

func (a *API) lookupDecision(ctx context.Context, id string, out *decisionList) error {
	found, err := a.Decisions.Lookup(ctx, id)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return problem.New(problem.NotFound, "no decision %q in the log: it was never made, was dropped with the oldest, or will be there in some milliseconds", clip(id))
	}
	for _, d := range found {
		out.add(decisions.Entry{Seq: d.Seq, Decision: d})
	}
	return nil
}

func (a *API) rangeDecisions(ctx context.Context, query url.Values, out *decisionList) error {
	q := decisions.Query{Job: query.Get("job"), Function: query.Get("function")}
	limit := uint64(someDecisions)
	var last uint64
	for _, p := range []struct {
		name        string
		to          *uint64
		least, most uint64
	}{{"after", &q.After, 0, 1<<63 - 1}, {"last", &last, 0, 1<<63 - 1}, {"limit", &limit, 1, maxDecisions}} {
		text := query.Get(p.name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n < p.least || n > p.most {
			return problem.New(problem.InvalidRequest, "%s is %q, must be a whole number from %d to %d", p.name, clip(text), p.least, p.most)
		}
		*p.to = n
	}
	end, err := a.Decisions.Last()
	if err != nil {
		return err
	}
	if query.Has("last") && end > last {
		q.After = max(q.After, end-last)
	}
	out.next = max(q.After, end) // what was not chosen need not be asked for again
	for e, err := range a.Decisions.Range(ctx, q) {
		if err != nil {
			return err
		}
		out.add(e)
		if out.count == limit || len(out.text) > maxDecisionBytes {
			out.next = e.Seq
			return nil
		}
		out.next = max(out.next, e.Seq)
	}
	return nil
}

// decisionList is the document as it grows.
type decisionList struct {
	exporter *decisions.Exporter
	text     []byte
	count    uint64
	next     uint64
}

func newDecisionList() (*decisionList, error) {
	exporter, err := decisions.NewExporter()
	return &decisionList{exporter: exporter, text: []byte(`{"decisions":[`)}, err
}

func (l *decisionList) add(e decisions.Entry) {
	if l.count++; l.count > 1 {
		l.text = append(l.text, ',')
	}
	l.text = l.exporter.Append(l.text, e)
	l.next = max(l.next, e.Seq)
}

func (l *decisionList) end() []byte {
	l.text = strconv.AppendUint(append(l.text, `],"next":`...), l.next, 10)
	return append(l.text, "}\n"...)
}
