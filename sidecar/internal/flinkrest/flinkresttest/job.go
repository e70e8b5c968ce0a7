package flinkresttest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// historySize is web.checkpoints.history: how many checkpoints, of every kind, Flink remembers.
const historySize = 10

// Job is one job of a scripted JobManager.
type Job struct {
	ID string

	jm       *JobManager
	name     string
	state    string
	started  int64
	starting bool
	history  []*checkpoint // newest first
	restored any
	counts   struct{ restored, total, completed, failed int }
	latest   struct{ completed, savepoint, failed *checkpoint }
	saved    map[string]any // asynchronous operations by trigger id
	// OnTrigger, if set, is called when a savepoint or checkpoint is asked for, and answers the operation's result.
	OnTrigger func(kind string) (operation map[string]any)
}

type checkpoint map[string]any

// AddJob adds a running job without checkpoints.
func (jm *JobManager) AddJob(id, name string) *Job {
	jm.mu.Lock()
	defer jm.mu.Unlock()
	job := &Job{ID: id, jm: jm, name: name, state: "RUNNING", started: 1000, saved: map[string]any{}}
	jm.jobs = append(jm.jobs, job)
	return job
}

// RemoveJob makes the JobManager forget a job, as it does an hour after its end.
func (jm *JobManager) RemoveJob(id string) {
	jm.mu.Lock()
	defer jm.mu.Unlock()
	jm.jobs = slices.DeleteFunc(jm.jobs, func(j *Job) bool { return j.ID == id })
}

func (j *Job) locked(change func()) {
	j.jm.mu.Lock()
	defer j.jm.mu.Unlock()
	change()
}

// SetState sets what Flink says of the job: RUNNING, FINISHED, CANCELED, ...
func (j *Job) SetState(state string) { j.locked(func() { j.state = state }) }

// Initializing makes the checkpoint endpoints answer 500, as Flink does while a job starts, whatever /jobs says.
func (j *Job) Initializing(yes bool) { j.locked(func() { j.starting = yes }) }

func (j *Job) add(id, triggered int64, status string, more checkpoint) *checkpoint {
	c := checkpoint{
		"className": "completed", "id": id, "status": status, "is_savepoint": false, "savepointFormat": nil,
		"trigger_timestamp": triggered, "latest_ack_timestamp": triggered + 10, "checkpointed_size": 9046, "state_size": 9046,
		"end_to_end_duration": 10, "alignment_buffered": 0, "processed_data": 0, "persisted_data": 0, "num_subtasks": 2,
		"num_acknowledged_subtasks": 2, "checkpoint_type": "CHECKPOINT", "tasks": map[string]any{},
	}
	for key, value := range more {
		c[key] = value
	}
	j.counts.total++
	j.history = append([]*checkpoint{&c}, j.history...)
	j.history = j.history[:min(len(j.history), historySize)]
	return &c
}

// Complete adds a completed checkpoint; path is the folder of its _metadata as Flink writes it, triggered is ms since 1970.
func (j *Job) Complete(id int64, path string, triggered int64) {
	j.locked(func() {
		j.counts.completed++
		j.latest.completed = j.add(id, triggered, "COMPLETED", checkpoint{"external_path": path, "discarded": false})
	})
}

// Savepoint adds a completed savepoint.
func (j *Job) Savepoint(id int64, path string, triggered int64) {
	j.locked(func() {
		j.counts.completed++
		j.latest.savepoint = j.add(id, triggered, "COMPLETED", checkpoint{
			"external_path": path, "discarded": false, "is_savepoint": true,
			"savepointFormat": "CANONICAL", "checkpoint_type": "SAVEPOINT",
		})
	})
}

// Begin adds a checkpoint in progress.
func (j *Job) Begin(id, triggered int64) {
	j.locked(func() {
		j.add(id, triggered, "IN_PROGRESS", checkpoint{"className": "in_progress", "latest_ack_timestamp": -1, "end_to_end_duration": -1, "checkpointed_size": 0, "state_size": 0})
	})
}

// Fail adds a failed checkpoint.
func (j *Job) Fail(id, triggered int64, message string) {
	j.locked(func() {
		j.counts.failed++
		j.latest.failed = j.add(id, triggered, "FAILED", checkpoint{
			"className": "failed", "failure_timestamp": triggered + 20, "failure_message": message,
		})
	})
}

// Discard marks a checkpoint as deleted by Flink.
func (j *Job) Discard(id int64) {
	j.locked(func() {
		for _, c := range j.history {
			if (*c)["id"] == id {
				(*c)["discarded"] = true
			}
		}
	})
}

// Restore notes that the job was restored from a checkpoint. In a failover within the same JobManager the history stays.
func (j *Job) Restore(id int64, path string, at int64) {
	j.locked(func() {
		j.counts.restored++
		j.restored = map[string]any{"id": id, "restore_timestamp": at, "is_savepoint": false, "external_path": path}
	})
}

// FailOver is what another JobManager shows that took the job over, or a new submission under the same id: counters from 0,
// no history, another start.
func (j *Job) FailOver(id int64, path string, at int64) {
	j.locked(func() {
		j.started = at
		j.history, j.latest = nil, struct{ completed, savepoint, failed *checkpoint }{}
		j.counts = struct{ restored, total, completed, failed int }{}
	})
	j.Restore(id, path, at)
}

func (j *Job) route(r *http.Request, parts []string) Answer {
	if len(parts) == 0 {
		return ok(map[string]any{"jid": j.ID, "name": j.name, "state": j.state, "vertices": []any{}})
	}
	if j.starting {
		return answerJSON(http.StatusInternalServerError, map[string]any{"errors": []string{
			"Internal server error.",
			"<Exception on server side:\norg.apache.flink.runtime.dispatcher.UnavailableDispatcherOperationException: Unable to get JobMasterGateway for initializing job.\n\tat X\nEnd of exception on server side>",
		}})
	}
	switch {
	case len(parts) == 1 && parts[0] == "checkpoints" && r.Method == http.MethodGet:
		return ok(j.statistics())
	case len(parts) == 2 && parts[0] == "checkpoints" && parts[1] == "config":
		return ok(map[string]any{
			"mode": "exactly_once", "interval": 2000, "timeout": 600000, "min_pause": 0, "max_concurrent": 1,
			"externalization": map[string]any{"enabled": true, "delete_on_cancellation": false},
		})
	case len(parts) == 3 && parts[0] == "checkpoints" && parts[1] == "details":
		return j.details(parts[2])
	case r.Method == http.MethodPost && len(parts) == 1:
		return j.trigger(parts[0])
	case r.Method == http.MethodGet && len(parts) == 2:
		operation, found := j.saved[parts[1]]
		if !found {
			return failure(http.StatusNotFound, fmt.Sprintf("There is no savepoint operation with triggerId=%s for job %s.", parts[1], j.ID))
		}
		return ok(map[string]any{"status": map[string]any{"id": "COMPLETED"}, "operation": operation})
	}
	return failure(http.StatusNotFound, "Not found: "+r.URL.Path)
}

func (j *Job) statistics() any {
	running := 0
	for _, c := range j.history {
		if (*c)["status"] == "IN_PROGRESS" {
			running++
		}
	}
	history := j.history
	if history == nil {
		history = []*checkpoint{}
	}
	none := map[string]any{"min": 0, "max": 0, "avg": 0, "p50": "NaN", "p90": "NaN", "p95": "NaN", "p99": "NaN", "p999": "NaN"}
	return map[string]any{
		"counts": map[string]any{
			"restored": j.counts.restored, "total": j.counts.total, "in_progress": running,
			"completed": j.counts.completed, "failed": j.counts.failed,
		},
		"summary": map[string]any{"state_size": none, "end_to_end_duration": none},
		"latest": map[string]any{
			"completed": j.latest.completed, "savepoint": j.latest.savepoint, "failed": j.latest.failed, "restored": j.restored,
		},
		"history": history,
	}
}

func (j *Job) details(text string) Answer {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return failure(http.StatusBadRequest, "Bad request, could not parse parameters: Cannot resolve path parameter (checkpointid).")
	}
	for _, c := range j.history {
		if (*c)["id"] == id {
			return ok(c)
		}
	}
	return failure(http.StatusNotFound, fmt.Sprintf("Could not find checkpointing statistics for checkpoint %d.", id))
}

func (j *Job) trigger(kind string) Answer {
	operation := map[string]any{}
	if j.OnTrigger != nil {
		operation = j.OnTrigger(kind)
	}
	id := fmt.Sprintf("%032x", len(j.saved)+1)
	j.saved[id] = operation
	return answerJSON(http.StatusAccepted, map[string]any{"request-id": id})
}
