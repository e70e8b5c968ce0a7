// Package flinkrest talks to a JobManager over Flink's REST API (2.3; the parts used here are the same since 1.20). It
// decodes leniently, as Flink's own answers need: unknown keys appear with each version, a number may be the string
// "NaN" or -1 for "not yet".
package flinkrest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxBody bounds an answer; the largest that Flink gives are job plans and lists of metrics.
const maxBody = 32 << 20

// Client calls one JobManager. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// New returns a client for a base URL such as http://127.0.0.1:8081. A redirect is not followed: Flink sends none.
func New(base string) *Client {
	return &Client{base: strings.TrimRight(base, "/"), http: &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Error is an answer of the JobManager that is not a success.
type Error struct {
	Status  int
	Message string // the first line of what Flink says; the rest is a Java stack trace
	Cause   string // the first line of the innermost cause in that trace, if there is one
}

func (e *Error) Error() string { return fmt.Sprintf("flink answered %d: %s", e.Status, e.Message) }

// IsNotFound says whether Flink does not know what was asked for (any more).
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, "", nil, out)
}

func (c *Client) do(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
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
		return fmt.Errorf("flink %s: %w", path, err)
	case len(text) > maxBody:
		return fmt.Errorf("flink %s: answer of more than %d bytes", path, maxBody)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return newError(resp.StatusCode, text)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("flink %s: answer is not what Flink sends: %w", path, err)
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

// Overview describes the cluster.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	var o Overview
	return o, c.get(ctx, "/overview", &o)
}

// TaskManagers lists the TaskManagers that are registered.
func (c *Client) TaskManagers(ctx context.Context) ([]TaskManager, error) {
	var answer struct{ TaskManagers []TaskManager }
	err := c.get(ctx, "/taskmanagers", &answer)
	return answer.TaskManagers, err
}

// Jobs lists the jobs that the cluster knows.
func (c *Client) Jobs(ctx context.Context) ([]JobSummary, error) {
	var answer struct{ Jobs []JobSummary }
	err := c.get(ctx, "/jobs/overview", &answer)
	return answer.Jobs, err
}

// Job describes one job.
func (c *Client) Job(ctx context.Context, job string) (Job, error) {
	var j Job
	return j, c.get(ctx, "/jobs/"+url.PathEscape(job), &j)
}

// Exceptions returns what brought a job or its tasks down, newest first; Flink keeps the last 16.
func (c *Client) Exceptions(ctx context.Context, job string) ([]Exception, error) {
	var answer struct {
		History struct {
			Entries []Exception `json:"entries"`
		} `json:"exceptionHistory"`
	}
	err := c.get(ctx, "/jobs/"+url.PathEscape(job)+"/exceptions", &answer)
	return answer.History.Entries, err
}

// RootCause is the first line of the newest exception of a job, "" if it has none.
func (c *Client) RootCause(ctx context.Context, job string) (string, error) {
	entries, err := c.Exceptions(ctx, job)
	if err != nil || len(entries) == 0 {
		return "", err
	}
	return entries[0].RootCause(), nil
}

// Checkpoints returns a job's checkpoint statistics. Flink caches them (web.refresh-interval, 3 s by default).
func (c *Client) Checkpoints(ctx context.Context, job string) (Checkpoints, error) {
	var s Checkpoints
	return s, c.get(ctx, "/jobs/"+url.PathEscape(job)+"/checkpoints", &s)
}

// CheckpointConfig returns how a job makes its checkpoints.
func (c *Client) CheckpointConfig(ctx context.Context, job string) (CheckpointConfig, error) {
	var config CheckpointConfig
	return config, c.get(ctx, "/jobs/"+url.PathEscape(job)+"/checkpoints/config", &config)
}

// Metrics returns those of the named metrics that a vertex has now; names are as Flink lists them, with the subtask in
// front ("0.go-fraud.drey.requests").
func (c *Client) Metrics(ctx context.Context, job, vertex string, names ...string) (map[string]string, error) {
	path := "/jobs/" + url.PathEscape(job) + "/vertices/" + url.PathEscape(vertex) + "/metrics"
	if len(names) > 0 {
		path += "?get=" + url.QueryEscape(strings.Join(names, ","))
	}
	var answer []struct{ ID, Value string }
	if err := c.get(ctx, path, &answer); err != nil {
		return nil, err
	}
	values := make(map[string]string, len(answer))
	for _, m := range answer {
		values[m.ID] = m.Value
	}
	return values, nil
}

// UploadJar stores a jar on the JobManager and returns its id.
func (c *Client) UploadJar(ctx context.Context, path string) (id string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name="jarfile"; filename=%q`, filepath.Base(path))},
		"Content-Type":        {"application/java-archive"}, // Flink refuses any other
	})
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(part, file); err != nil {
		return "", fmt.Errorf("read jar: %w", err)
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	var answer struct{ Filename string }
	if err := c.do(ctx, http.MethodPost, "/jars/upload", form.FormDataContentType(), &body, &answer); err != nil {
		return "", fmt.Errorf("upload %s: %w", filepath.Base(path), err)
	}
	return answer.Filename[strings.LastIndexByte(answer.Filename, '/')+1:], nil
}

// Run is how a jar's program is started.
type Run struct {
	EntryClass  string            `json:"entryClass,omitempty"`
	Args        []string          `json:"programArgsList,omitempty"`
	Parallelism int               `json:"parallelism,omitempty"` // Flink ignores parallelism.default here
	Config      map[string]string `json:"flinkConfiguration,omitempty"`
}

// RunJar starts an uploaded jar and returns the id of its job.
func (c *Client) RunJar(ctx context.Context, jar string, run Run) (job string, err error) {
	body, err := json.Marshal(run)
	if err != nil {
		return "", err
	}
	var answer struct{ JobID string }
	err = c.do(ctx, http.MethodPost, "/jars/"+url.PathEscape(jar)+"/run", "application/json", bytes.NewReader(body), &answer)
	if refused, ok := errors.AsType[*Error](err); ok && refused.Cause != "" {
		// Flink only says "Could not execute application."; what the program's main method threw is the cause.
		return "", fmt.Errorf("run %s: %w (%s)", cmp.Or(run.EntryClass, jar), err, refused.Cause)
	}
	if err != nil {
		return "", fmt.Errorf("run %s: %w", cmp.Or(run.EntryClass, jar), err)
	}
	return answer.JobID, nil
}

// DeleteJar removes an uploaded jar.
func (c *Client) DeleteJar(ctx context.Context, jar string) error {
	return c.do(ctx, http.MethodDelete, "/jars/"+url.PathEscape(jar), "", nil, nil)
}

// Cancel asks a job to end; its retained checkpoints stay.
func (c *Client) Cancel(ctx context.Context, job string) error {
	return c.do(ctx, http.MethodPatch, "/jobs/"+url.PathEscape(job)+"?mode=cancel", "", nil, nil)
}
