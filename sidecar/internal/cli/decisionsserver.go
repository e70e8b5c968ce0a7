package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
)

// decisionList is the answer to GET /v1/decisions.
type decisionList struct {
	Decisions []json.RawMessage `json:"decisions"`
	Next      uint64            `json:"next,omitempty"`
}

// askAgain is how long a tail waits when a sidecar had nothing new.
const askAgain = 300 * time.Millisecond

// tailServer prints what a sidecar has from the last records on, and goes on asking if it is to follow.
func (p *program) tailServer(ctx context.Context, c *client, query url.Values, last int, follow bool) error {
	query.Set("last", strconv.Itoa(last))
	for {
		var list decisionList
		if err := c.get(ctx, "/v1/decisions?"+query.Encode(), &list); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for _, d := range list.Decisions {
			if _, err := p.stdout.Write(append(d, '\n')); err != nil {
				return err
			}
		}
		query.Del("last")
		query.Set("after", strconv.FormatUint(list.Next, 10))
		if len(list.Decisions) > 0 {
			continue // there may be more than one answer holds
		}
		if !follow {
			return nil
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil
		}
	}
}

// lookup finds the decisions of an id, in a folder or at a sidecar. None is an error.
func (p *program) lookup(ctx context.Context, id, dir, server string) ([]json.RawMessage, error) {
	if dir == "" {
		server = p.server(server)
		if server == "" {
			return nil, errNoLog
		}
		c, err := newClient(server)
		if err != nil {
			return nil, err
		}
		var list decisionList
		err = c.get(ctx, "/v1/decisions?"+url.Values{"id": {id}}.Encode(), &list)
		return list.Decisions, err
	}
	found, err := decisions.NewReader(dir).Lookup(ctx, id)
	if err != nil {
		return nil, unlessInterrupted(ctx, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("decision log %s: no decision %q: it was never made, or was dropped with the oldest", dir, id)
	}
	x, err := decisions.NewExporter()
	if err != nil {
		return nil, err
	}
	list := make([]json.RawMessage, len(found))
	for i, d := range found {
		list[i] = x.Append(nil, decisions.Entry{Seq: d.Seq, Decision: d})
	}
	return list, nil
}

// lineage shows decisions for people, from the input to the outcome.
func lineage(w io.Writer, list []json.RawMessage) {
	for i, text := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		var d struct {
			Seq                     uint64
			ID, Time, Job, Operator string
			Subtask                 int
			Epoch, Fence            uint64
			Function, Build         string
			Input, Result           json.RawMessage
			Error                   *struct{ Code, Message string }
			State                   []decisions.StateRead
			StateUnnamed            int `json:"state_unnamed"`
			Rules, Reasons          []string
			Replayed                bool
			Masked, Omitted         []string
		}
		if err := json.Unmarshal(text, &d); err != nil {
			fmt.Fprintf(w, "%s\n", text)
			continue
		}
		var of struct{ Rules, Reasons []string }
		_ = json.Unmarshal(d.Result, &of) // a result that has neither gives neither
		if len(d.Rules) == 0 {
			d.Rules = of.Rules
		}
		row(w, "decision", fmt.Sprintf("%s, record %d, %s", d.ID, d.Seq, d.Time))
		if d.Job != "" {
			row(w, "from", fmt.Sprintf("job %s, operator %s, subtask %d, epoch %d, fence %d", d.Job, d.Operator, d.Subtask, d.Epoch, d.Fence))
		}
		row(w, "function", d.Function+", build "+cmp.Or(d.Build, "not known"))
		row(w, "input", oneLine(d.Input))
		for _, s := range d.State {
			row(w, "state", fmt.Sprintf("%s[%s] version %d", stateName(s.State), printable(s.Key), s.Version))
		}
		if d.StateUnnamed > 0 {
			row(w, "state", fmt.Sprintf("and %d more", d.StateUnnamed))
		}
		if len(d.Rules) > 0 {
			row(w, "rules", strings.Join(d.Rules, ", "))
		}
		if len(of.Reasons) > 0 {
			row(w, "reasons", strings.Join(of.Reasons, "; "))
		}
		if d.Error != nil {
			row(w, "outcome", "error "+d.Error.Code+": "+d.Error.Message)
		} else {
			row(w, "outcome", oneLine(d.Result))
		}
		if d.Replayed {
			row(w, "replayed", "answered from memory, as an earlier call of this id")
		}
		if len(d.Masked) > 0 || len(d.Omitted) > 0 {
			row(w, "hidden", "masked: "+cmp.Or(strings.Join(d.Masked, ", "), "nothing")+"; too long: "+cmp.Or(strings.Join(d.Omitted, ", "), "nothing"))
		}
	}
}

func oneLine(value json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return cmp.Or(string(value), "none")
	}
	return b.String()
}
