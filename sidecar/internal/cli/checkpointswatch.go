package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

func (p *program) checkpointsWatch() *cobra.Command {
	var s sources
	var after, output string
	cmd := &cobra.Command{
		Use: "watch", Short: "Print what happens to checkpoints, as it happens", Args: cobra.NoArgs,
		Long: `Prints the events of a sidecar that watches (drey serve with watch.flink, or drey watch) until Ctrl-C: checkpoints that
completed, were copied, were deleted by Flink, or could not be copied; jobs that started, were restored, or ended. When the
connection is lost it comes back and goes on where it was. With -o json an event a line.`,
		Example: `  drey checkpoints watch --server http://127.0.0.1:8080
  drey checkpoints watch --server http://127.0.0.1:8080 --after 0        from the oldest event that is kept
  drey checkpoints watch -o json | jq 'select(.kind == "checkpoint.failed")'`,
	}
	cmd.Flags().StringVar(&s.server, "server", "", "the sidecar (http://host:port or unix:/path; or the variable DREY_SERVER; default 127.0.0.1:8080)")
	cmd.Flags().BoolVar(&s.dev, "dev", false, "the sidecar of the cluster that the demo started")
	cmd.Flags().StringVar(&s.job, "job", "", "only events of this job (its id)")
	cmd.Flags().StringVar(&after, "after", "", "begin after the event of this `number`; without it only what is to come is printed")
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if output != "table" && output != "json" {
			return usageError{fmt.Errorf("--output %q, must be table or json", output)}
		}
		if s.job != "" {
			if _, err := checkpoint.NormalizeJob(s.job); err != nil {
				return usageError{fmt.Errorf("--job: %w", err)}
			}
		}
		if after != "" {
			if _, err := strconv.ParseUint(after, 10, 64); err != nil {
				return usageError{fmt.Errorf("--after %q, must be the number of an event", after)}
			}
		}
		if err := s.complete(p); err != nil {
			return err
		}
		c, err := newClient(cmp.Or(s.server, "127.0.0.1:8080"))
		if err != nil {
			return err
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		r := &eventReader{client: c, job: s.job, last: after, wait: firstWait, print: p.eventPrinter(output), warn: func(format string, a ...any) {
			fmt.Fprintf(p.stderr, "drey: "+format+"\n", a...)
		}}
		err = r.run(ctx)
		if ctx.Err() != nil {
			return nil // Ctrl-C is how one ends it
		}
		return err
	}
	return cmd
}

// eventPrinter prints one event a line.
func (p *program) eventPrinter(output string) func(checkpoint.Event, []byte) error {
	if output == "json" {
		return func(_ checkpoint.Event, raw []byte) error {
			_, err := fmt.Fprintf(p.stdout, "%s\n", raw)
			return err
		}
	}
	return func(e checkpoint.Event, _ []byte) error {
		what := ""
		if e.Checkpoint > 0 {
			what = strconv.FormatInt(e.Checkpoint, 10)
		}
		_, err := fmt.Fprintf(p.stdout, "%s  %-22s %s  %s\n", e.Time.Local().Format(time.DateTime), e.Kind, e.Job,
			strings.TrimSpace(what+"  "+strings.Join(nonEmpty(e.Path, e.Message), "  ")))
		return err
	}
}

func nonEmpty(all ...string) []string {
	var some []string
	for _, text := range all {
		if text != "" {
			some = append(some, text)
		}
	}
	return some
}

// eventReader reads the events of a sidecar, over as many connections as it takes.
type eventReader struct {
	client *client
	job    string
	last   string // number of the last event; "" = only those to come
	wait   time.Duration
	print  func(checkpoint.Event, []byte) error
	warn   func(format string, a ...any)
	was    bool // connected before
}

const (
	firstWait = 250 * time.Millisecond
	lastWait  = 15 * time.Second
	// silence is how long nothing, not even a heartbeat, may come.
	silence = 45 * time.Second
)

// errFinal is what a new connection would not change.
type errFinal struct{ error }

func (e errFinal) Unwrap() error { return e.error }

// run reads until ctx ends, or until an answer says that it makes no sense. Before the first connection a sidecar that does
// not answer is an error too: it is more likely a mistyped address than one that is just starting.
func (r *eventReader) run(ctx context.Context) error {
	wait := r.wait
	for {
		before := r.last
		connected, err := r.connection(ctx)
		if r.last != before { // a connection that brings nothing is no better than none
			wait = r.wait
		}
		var final errFinal
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &final):
			return final.error
		case !connected && !r.was:
			return err
		}
		if wait == r.wait {
			r.warn("connection lost (%v); trying again", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, lastWait)
	}
}

// connection reads one stream to its end.
func (r *eventReader) connection(ctx context.Context) (connected bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	query := url.Values{}
	if r.job != "" {
		query.Set("job", r.job)
	}
	if r.last != "" {
		query.Set("after", r.last)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.client.base+"/v1/events?"+query.Encode(), nil)
	if err != nil {
		return false, errFinal{err}
	}
	req.Header.Set("Accept", "text/event-stream")
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	resp, err := r.client.http.Do(req)
	if err != nil {
		return false, fmt.Errorf("%w: is the sidecar running? start it with drey serve or drey watch, or name it with --server", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return false, refusal(resp)
	}
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return false, errFinal{fmt.Errorf("the answer is %q and no stream of events: is %s a sidecar?", kind, r.client.base)}
	}
	r.was = true
	return true, r.events(resp.Body, func() { watchdog.Reset(silence) })
}

// refusal is an answer that is no stream. What a retry may change is no final one.
func refusal(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	var p problem.Document
	if json.Unmarshal(text, &p) != nil || p.Code == "" {
		err := fmt.Errorf("/v1/events: %s", resp.Status)
		if resp.StatusCode >= http.StatusInternalServerError {
			return err // of a proxy before it
		}
		return errFinal{err}
	}
	err = fmt.Errorf("/v1/events: %s: %s", p.Code, p.Detail)
	if p.Retryable {
		return err
	}
	return errFinal{err}
}

// maxEvent bounds a line of the stream; a list of what is missing in a checkpoint is not in it.
const maxEvent = 1 << 20

var errTooLong = errFinal{fmt.Errorf("the sidecar sent an event of more than %d bytes: is it one?", maxEvent)}

// events reads a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
func (r *eventReader) events(body io.Reader, alive func()) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 4<<10), maxEvent)
	var id, kind string
	var data []byte
	for lines.Scan() {
		alive()
		line := lines.Bytes()
		if len(line) == 0 {
			if err := r.event(kind, data); err != nil {
				return err
			}
			if id != "" {
				r.last = id
			}
			id, kind, data = "", "", nil
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			id = string(value)
		case "event":
			kind = string(value)
		case "data":
			if data != nil {
				data = append(data, '\n')
			}
			if data = append(data, value...); len(data) > maxEvent {
				return errTooLong
			}
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return errTooLong
	} else if err != nil {
		return err
	}
	return errors.New("the sidecar ended the stream")
}

func (r *eventReader) event(kind string, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if kind == "events.lost" {
		r.warn("events are lost: the sidecar does not keep those after number %s any more; see drey checkpoints list", r.last)
		return nil
	}
	var e checkpoint.Event
	if err := json.Unmarshal(data, &e); err != nil {
		return errFinal{fmt.Errorf("the sidecar sent an event that cannot be read: %w", err)}
	}
	if err := r.print(e, data); err != nil {
		return errFinal{err}
	}
	return nil
}
