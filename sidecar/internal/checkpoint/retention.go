package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// keepRecords is how many checkpoints of a job the ledger remembers, beyond those that have a copy or wait for one. Savepoints it
// remembers for as long as the job: they are few, and of one that nobody remembers nobody could say whether it is still there.
const keepRecords = 100

// Discarder is a Copier that leaves something behind when a copy does not succeed, for the next attempt to go on with. Discard
// is called when there will be no other attempt.
type Discarder interface {
	Discard(folder string) error
}

// folder is where the copy of a checkpoint stands.
func (w *Watcher) folder(k Key) string { return filepath.Join(w.root, k.Job, k.Folder()) }

// Folder is where the copy of a checkpoint stands, if there is one: see Record.State.
func (w *Watcher) Folder(k Key) string { return w.folder(k) }

// discard removes what is left of a copy that will not be completed. If that does not work, the next start tries again.
func (w *Watcher) discard(k Key) {
	d, ok := w.copier.(Discarder)
	if !ok {
		return
	}
	if _, err := os.Stat(filepath.Join(w.root, k.Job)); errors.Is(err, os.ErrNotExist) {
		return // it never began
	}
	if err := d.Discard(w.folder(k)); err != nil {
		w.log.Warn("what is left of a copy cannot be deleted", "job", k.Job, "checkpoint", k.ID, "error", err)
	}
}

// expire deletes the copies of a job beyond the newest ones. The ledger says so first: a crash in between leaves a folder
// that the next start deletes.
func (w *Watcher) expire(like Record) error {
	records, err := w.ledger.List(like.Job, 0)
	if err != nil {
		return err
	}
	run, err := w.ledger.storedRun(like.Job)
	if err != nil {
		return err
	}
	kept, final := 0, 0
	var forgotten []Record
	for _, r := range records {
		if r.State == Copied {
			if r.Savepoint != like.Savepoint {
				continue
			}
			if kept++; kept <= max(1, w.config.Retain) {
				continue
			}
			if err := w.expireOne(r); err != nil {
				return err
			}
			r.State = Expired
		}
		if r.State.Final() && !r.Savepoint {
			// What Flink still shows would be news again.
			shown := r.Run == run.Started && slices.Contains(run.IDs, r.ID)
			if final++; final > keepRecords && !shown {
				forgotten = append(forgotten, r)
			}
		}
	}
	return w.ledger.Forget(forgotten)
}

func (w *Watcher) expireOne(r Record) error {
	r.State = Expired
	if err := w.ledger.Store(r); err != nil {
		return err
	}
	w.crash("expired")
	if err := w.remove(r.Key); err != nil {
		return err
	}
	w.crash("removed")
	return nil
}

// retire deletes what is left of jobs that ended long ago.
func (w *Watcher) retire() error {
	runs, err := w.ledger.Runs()
	if err != nil {
		return err
	}
	now := w.ledger.now()
	for id, run := range runs {
		w.mu.Lock()
		_, busy := w.busy[id]
		waits := busy || len(w.pending[id]) > 0
		w.mu.Unlock()
		if run.Ended == 0 || waits || now.Sub(time.UnixMilli(run.Ended)) < w.config.RetainEnded {
			continue
		}
		if _, err := os.Stat(filepath.Join(w.root, id)); err == nil {
			w.log.Info("deleting the copies of a job that ended", "job", id, "name", run.Name, "ended", time.UnixMilli(run.Ended))
		}
		if err := os.RemoveAll(filepath.Join(w.root, id)); err != nil {
			return fmt.Errorf("delete the copies of job %s: %w", id, err)
		}
		w.crash("retired")
		// The ledger forgets it last: what a crash leaves is deleted by the next attempt.
		if err := w.ledger.ForgetJob(id); err != nil {
			return err
		}
		w.mu.Lock()
		delete(w.newest, id)
		delete(w.failing, id)
		w.mu.Unlock()
		w.announce()
	}
	return nil
}

// remove deletes a copy; the folder gets another name first, so that what a crash leaves does not look complete.
func (w *Watcher) remove(k Key) error {
	folder := w.folder(k)
	doomed := folder + expiredSuffix
	if err := os.Rename(folder, doomed); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete the copy of %s: %w", k, err)
	}
	if err := os.RemoveAll(doomed); err != nil {
		return fmt.Errorf("delete the copy of %s: %w", k, err)
	}
	return nil
}

const expiredSuffix = ".expired"

// ours is what the watcher and its copier put into the folder of a job: copies, and what is left of them.
var ours = regexp.MustCompile(`^(chk-[0-9]+-[0-9a-f]{8})(\.[a-z]+)?$`)

// sweep removes folders that an earlier run left and that nobody needs: expired copies, halves of copies that will not be
// completed. Where the ledger knows of no copy it is a new one beside old copies, and nothing is touched.
func (w *Watcher) sweep(records []Record) error {
	jobs := map[string]map[string]State{}
	withCopy := map[string]bool{}
	for _, r := range records {
		if jobs[r.Job] == nil {
			jobs[r.Job] = map[string]State{}
		}
		jobs[r.Job][r.Folder()] = r.State
		withCopy[r.Job] = withCopy[r.Job] || r.State == Copied
	}
	for job, states := range jobs {
		if !withCopy[job] {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(w.root, job))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("folder of copies: %w", err)
		}
		for _, entry := range entries {
			name := ours.FindStringSubmatch(entry.Name())
			if name == nil || needed(states[name[1]], name[2]) {
				continue
			}
			if err := os.RemoveAll(filepath.Join(w.root, job, entry.Name())); err != nil {
				return fmt.Errorf("delete what is left of a copy: %w", err)
			}
		}
	}
	return nil
}

// needed says whether an entry of the folder of copies serves a checkpoint in this state; "" is one that is not known.
func needed(state State, suffix string) bool {
	switch {
	case suffix == expiredSuffix:
		return false
	case state == Copied:
		return suffix == ""
	}
	return state != "" && !state.Final()
}
