package flinkrest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

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

// Cancel asks a job to end; its retained checkpoints stay.
func (c *Client) Cancel(ctx context.Context, job string) error {
	return c.do(ctx, http.MethodPatch, "/jobs/"+url.PathEscape(job)+"?mode=cancel", "", nil, nil)
}
