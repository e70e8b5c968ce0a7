package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// Watch is what the adapter needs of the watcher of checkpoints. Errors that are a *problem.Error are for the caller.
type Watch interface {
	// Checkpoints lists those of a job, by its id or name, or of all jobs: the newest first, all of them if limit is 0.
	Checkpoints(job string, limit int) ([]checkpoint.Record, error)
	Checkpoint(job string, id int64) (checkpoint.Record, error)
	// Folder is where the copy of a checkpoint stands, "" if there is none.
	Folder(checkpoint.Record) string
	Jobs() ([]checkpoint.Job, error)
	// Authorize says whether the bearer of a token may notify.
	Authorize(token string) error
	Notify(ctx context.Context, job string, id int64, path string) (checkpoint.Record, error)
	// Events returns up to limit events after a number, EventSpan the numbers of the oldest and the newest one; the channel of
	// Changed is closed when there may be more.
	Events(after uint64, limit int) ([]checkpoint.Event, error)
	EventSpan() (oldest, newest uint64, err error)
	Changed() <-chan struct{}
}

// checkpointDocument is a record and what follows from it.
type checkpointDocument struct {
	checkpoint.Record
	Restorable *bool  `json:"restorable,omitempty"` // once every object was looked at
	Folder     string `json:"folder,omitempty"`     // of the copy, on the sidecar's machine
}

func (a *API) checkpointDocument(r checkpoint.Record) checkpointDocument {
	d := checkpointDocument{Record: r, Folder: a.Watch.Folder(r)}
	if r.State == checkpoint.Copied || r.State == checkpoint.Expired {
		restorable := r.Restorable()
		d.Restorable = &restorable
	}
	return d
}

// watching lets requests pass if there is a watcher.
func (a *API) watching(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if a.Watch == nil {
			a.fail(w.(*exchange), problem.New(problem.NotFound, "this sidecar watches no checkpoints: set watch.flink (--watch-flink http://jobmanager:8081)"), "")
			return
		}
		next(w, r)
	}
}

func (a *API) listCheckpoints(w http.ResponseWriter, r *http.Request) {
	x, query := w.(*exchange), r.URL.Query()
	limit := 0
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 {
			a.fail(x, problem.New(problem.InvalidRequest, "limit is %q, must be a whole number from 0 on; 0 = all", clip(text)), "")
			return
		}
	}
	records, err := a.Watch.Checkpoints(query.Get("job"), limit)
	if err != nil {
		a.fail(x, err, "")
		return
	}
	list := make([]checkpointDocument, 0, len(records))
	for _, record := range records {
		list = append(list, a.checkpointDocument(record))
	}
	a.document(x, http.StatusOK, struct {
		Checkpoints []checkpointDocument `json:"checkpoints"`
	}{list})
}

func (a *API) getCheckpoint(w http.ResponseWriter, r *http.Request) {
	x, job, number := w.(*exchange), chi.URLParam(r, "job"), chi.URLParam(r, "id")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || id < 0 {
		a.fail(x, problem.New(problem.InvalidRequest, "%q is no number of a checkpoint", clip(number)), "")
		return
	}
	record, err := a.Watch.Checkpoint(job, id)
	if err != nil {
		a.fail(x, err, "")
		return
	}
	a.document(x, http.StatusOK, a.checkpointDocument(record))
}

func (a *API) listJobs(w http.ResponseWriter, _ *http.Request) {
	x := w.(*exchange)
	jobs, err := a.Watch.Jobs()
	if err != nil {
		a.fail(x, err, "")
		return
	}
	a.document(x, http.StatusOK, struct {
		Jobs []checkpoint.Job `json:"jobs"`
	}{jobs})
}

// notification is the body of a webhook.
type notification struct {
	Job  *string `json:"job"`
	ID   *int64  `json:"checkpoint_id"`
	Path *string `json:"path"`
}

// notify takes a webhook. Who calls is looked at before what is said: a stranger learns nothing, and sends nothing long.
func (a *API) notify(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		token = ""
	}
	if err := a.Watch.Authorize(token); err != nil {
		if problem.From(err).Code == problem.Unauthenticated {
			x.Header().Set("WWW-Authenticate", "Bearer")
		}
		a.fail(x, err, "")
		return
	}
	body, err := a.read(r)
	if err != nil {
		a.fail(x, err, "")
		return
	}
	var n notification
	err = json.Unmarshal(body.bytes, &n, json.RejectUnknownMembers(true))
	body.release()
	if err != nil {
		a.fail(x, problem.New(problem.InvalidRequest, "the body must be {\"job\", \"checkpoint_id\", \"path\"}: %v", err), "")
		return
	}
	if violations := n.check(); len(violations) > 0 {
		p := problem.New(problem.InvalidRequest, "%s", violations[0].Field+": "+violations[0].Message)
		p.Violations = violations
		a.fail(x, p, "")
		return
	}
	record, err := a.Watch.Notify(r.Context(), *n.Job, *n.ID, *n.Path)
	if err != nil {
		a.fail(x, err, "")
		return
	}
	a.document(x, http.StatusAccepted, a.checkpointDocument(record))
}

// maxPath is longer than any key of S3 with its bucket.
const maxPath = 2 << 10

func (n *notification) check() []problem.Violation {
	var violations []problem.Violation
	add := func(bad bool, field, message string) {
		if bad {
			violations = append(violations, problem.Violation{Field: field, Message: message})
		}
	}
	add(n.Job == nil, "job", "is missing")
	add(n.ID == nil, "checkpoint_id", "is missing")
	add(n.ID != nil && *n.ID < 0, "checkpoint_id", "must not be negative")
	add(n.Path == nil || *n.Path == "", "path", "is missing")
	add(n.Path != nil && len(*n.Path) > maxPath, "path", "is too long")
	return violations
}
