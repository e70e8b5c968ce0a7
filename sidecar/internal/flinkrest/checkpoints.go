package flinkrest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

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

// Checkpoint returns the details of one checkpoint. Flink forgets them after web.checkpoints.history (10) newer ones:
// then IsNotFound(err) is true, which does not mean that the checkpoint itself is gone. Flink 2.3 keeps them by number alone
// (CheckpointStatsCache): with several jobs it may answer with another job's checkpoint of that number. Compare what it says
// with Checkpoints.
func (c *Client) Checkpoint(ctx context.Context, job string, id int64) (CheckpointDetails, error) {
	var d CheckpointDetails
	return d, c.get(ctx, "/jobs/"+url.PathEscape(job)+"/checkpoints/details/"+strconv.FormatInt(id, 10), &d)
}

// Format is the format of a savepoint.
type Format string

// Canonical can be read by every state backend, Native is faster to write and is the state backend's own.
const (
	Canonical Format = "CANONICAL"
	Native    Format = "NATIVE"
)

// TriggerCheckpoint has a job make a checkpoint now and waits for its id. full makes it independent of earlier ones.
func (c *Client) TriggerCheckpoint(ctx context.Context, job string, full bool) (id int64, err error) {
	kind := "CONFIGURED"
	if full {
		kind = "FULL"
	}
	done, err := c.operation(ctx, job, "checkpoints", "checkpoints", map[string]any{"checkpointType": kind})
	return done.CheckpointID, err
}

// TriggerSavepoint has a job write a savepoint and waits for its location. An empty folder is the one that Flink's
// configuration names (execution.checkpointing.savepoint-dir).
func (c *Client) TriggerSavepoint(ctx context.Context, job, folder string, format Format) (location string, err error) {
	done, err := c.operation(ctx, job, "savepoints", "savepoints",
		withFolder(map[string]any{"cancel-job": false, "formatType": format}, "target-directory", folder))
	return done.Location, err
}

// Stop ends a job with a savepoint and waits for its location. With drain the sources end for good: event-time windows
// and timers fire as if the input had ended.
func (c *Client) Stop(ctx context.Context, job, folder string, format Format, drain bool) (location string, err error) {
	done, err := c.operation(ctx, job, "stop", "savepoints",
		withFolder(map[string]any{"drain": drain, "formatType": format}, "targetDirectory", folder))
	return done.Location, err
}

func withFolder(body map[string]any, key, folder string) map[string]any {
	if folder != "" {
		body[key] = folder
	}
	return body
}

// operationResult is what Flink answers when an asynchronous operation has ended.
type operationResult struct {
	CheckpointID int64         `json:"checkpointId"`
	Location     string        `json:"location"`
	Failure      *FailureCause `json:"failureCause"`
}

// FailureCause is why an asynchronous operation of Flink failed.
type FailureCause struct {
	Class      string `json:"class"`
	Stacktrace string `json:"stack-trace"`
}

func (f *FailureCause) Error() string {
	if cause := rootCause(f.Stacktrace); cause != "" {
		return shorten(cause)
	}
	return f.Class
}

// operationPoll is how often an operation's state is asked for: often enough for a person, rarely enough for Flink.
const operationPoll = 200 * time.Millisecond

// operation starts an asynchronous operation and waits until it has ended. It names the operation itself, so that a
// request whose answer was lost can be sent again: Flink then goes on with the same operation (rest.async, FLIP-103).
func (c *Client) operation(ctx context.Context, job, start, poll string, body map[string]any) (operationResult, error) {
	var trigger [16]byte
	rand.Read(trigger[:]) //nolint:errcheck // never fails, see crypto/rand
	body["triggerId"] = hex.EncodeToString(trigger[:])
	text, err := json.Marshal(body)
	if err != nil {
		return operationResult{}, err
	}
	base := "/jobs/" + url.PathEscape(job) + "/"
	var started struct {
		RequestID string `json:"request-id"`
	}
	if err := c.do(ctx, http.MethodPost, base+start, "application/json", bytes.NewReader(text), &started); err != nil {
		return operationResult{}, fmt.Errorf("%s of job %s: %w", start, job, err)
	}
	for {
		var answer struct {
			Status    struct{ ID string }
			Operation operationResult
		}
		err := c.get(ctx, base+poll+"/"+url.PathEscape(started.RequestID), &answer)
		switch {
		case err != nil && !IsUnavailable(err):
			return operationResult{}, fmt.Errorf("%s of job %s: %w", start, job, err)
		case err == nil && answer.Status.ID == "COMPLETED":
			if answer.Operation.Failure != nil {
				return operationResult{}, fmt.Errorf("%s of job %s: %w", start, job, answer.Operation.Failure)
			}
			return answer.Operation, nil
		case err == nil && answer.Status.ID != "IN_PROGRESS":
			return operationResult{}, fmt.Errorf("%s of job %s: %w", start, job, errors.New("flink answered no status"))
		}
		select {
		case <-ctx.Done():
			return operationResult{}, fmt.Errorf("%s of job %s: %w", start, job, ctx.Err())
		case <-time.After(operationPoll):
		}
	}
}
