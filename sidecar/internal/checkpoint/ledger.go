package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Ledger is what the watcher knows, in one file. Each change and the event that tells of it are one transaction: after a
// crash at any moment either both are there or neither, and everything that follows from a change can be done again.
// It is safe for concurrent use; one process at a time holds the file.
type Ledger struct {
	db  *bbolt.DB
	now func() time.Time
}

// The buckets. runs: job -> Run. checkpoints: job, 0, big-endian id, hash of the key -> Record. events: big-endian
// sequence number -> Event. meta: "format" -> ledgerFormat.
var (
	bucketMeta        = []byte("meta")
	bucketRuns        = []byte("runs")
	bucketCheckpoints = []byte("checkpoints")
	bucketEvents      = []byte("events")
)

// ledgerFormat is the version of what is in the buckets.
const ledgerFormat = "1"

// maxEvents is how many events are kept; a reader that was away for longer reads the list of checkpoints instead.
const maxEvents = 10_000

// OpenLedger opens the file, or makes it. It waits up to wait for another process to let it go.
func OpenLedger(path string, wait time.Duration, now func() time.Time) (*Ledger, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("ledger %s: another drey holds it; stop that one, or set another watch.data_dir", path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("ledger %s: %w; move it away: the watcher then begins with what Flink and the local copies show", path, err)
	case err != nil:
		return nil, fmt.Errorf("ledger: %w", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketRuns, bucketCheckpoints, bucketEvents} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		switch format := meta.Get([]byte("format")); {
		case format == nil:
			return meta.Put([]byte("format"), []byte(ledgerFormat))
		case string(format) != ledgerFormat:
			return fmt.Errorf("its format is %q, this drey knows %q; move it away, or use the drey that wrote it", format, ledgerFormat)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ledger %s: %w", path, err), db.Close())
	}
	return &Ledger{db: db, now: now}, nil
}

// Close lets the file go.
func (l *Ledger) Close() error { return l.db.Close() }

func recordKey(k Key) []byte {
	return append(binary.BigEndian.AppendUint64(append([]byte(k.Job), 0), uint64(k.ID)), k.Folder()...)
}

// See notes a checkpoint that Flink completed and returns what is known of it. It is new if it was not known before. One
// that is not newer than the last recovered one of its run is dropped: a late webhook, say. Savepoints never are.
func (l *Ledger) See(r Record) (known Record, isNew bool, err error) {
	err = l.db.Update(func(tx *bbolt.Tx) error {
		key := recordKey(r.Key)
		if text := tx.Bucket(bucketCheckpoints).Get(key); text != nil {
			return decode(text, &known)
		}
		run, err := getRun(tx, r.Job)
		if err != nil {
			return err
		}
		event := Event{Kind: EventCompleted, Job: r.Job, Checkpoint: r.ID, Path: r.Path}
		r.State, r.SeenAt = Seen, l.now()
		if !r.Savepoint && r.ID <= run.LastRecovered {
			r.State, event.Kind = Dropped, EventDropped
			event.Message = fmt.Sprintf("not newer than checkpoint %d, which is recovered", run.LastRecovered)
		}
		known, isNew = r, true
		if err := put(tx.Bucket(bucketCheckpoints), key, r); err != nil {
			return err
		}
		return l.append(tx, event)
	})
	return known, isNew, err
}

// getRun returns what is known of a job's run; of an unknown job nothing is recovered yet.
func getRun(tx *bbolt.Tx, job string) (Run, error) {
	run := Run{Job: job, Started: -1, Restored: -1, LastRecovered: -1}
	text := tx.Bucket(bucketRuns).Get([]byte(job))
	if text == nil {
		return run, nil
	}
	return run, decode(text, &run)
}

// Finish stores how the work on a checkpoint ended. A copied checkpoint moves its job forward.
func (l *Ledger) Finish(r Record, kind Kind, message string) error {
	return l.db.Update(func(tx *bbolt.Tx) error {
		if r.State == Copied && !r.Savepoint {
			run, err := getRun(tx, r.Job)
			if err != nil {
				return err
			}
			if r.ID > run.LastRecovered {
				run.LastRecovered = r.ID
				if err := put(tx.Bucket(bucketRuns), []byte(r.Job), run); err != nil {
					return err
				}
			}
		}
		if err := put(tx.Bucket(bucketCheckpoints), recordKey(r.Key), r); err != nil {
			return err
		}
		return l.append(tx, Event{Kind: kind, Job: r.Job, Checkpoint: r.ID, Path: r.Path, Message: message})
	})
}

// Store replaces a record, without an event.
func (l *Ledger) Store(r Record) error {
	return l.db.Update(func(tx *bbolt.Tx) error { return put(tx.Bucket(bucketCheckpoints), recordKey(r.Key), r) })
}

// Get returns the record of a checkpoint.
func (l *Ledger) Get(k Key) (r Record, found bool, err error) {
	err = l.db.View(func(tx *bbolt.Tx) error {
		text := tx.Bucket(bucketCheckpoints).Get(recordKey(k))
		found = text != nil
		if !found {
			return nil
		}
		return decode(text, &r)
	})
	return r, found, err
}

// List returns the checkpoints of a job, or of all jobs if job is empty, the newest first, at most limit if it is not 0.
func (l *Ledger) List(job string, limit int) ([]Record, error) {
	var all []Record
	err := l.db.View(func(tx *bbolt.Tx) error {
		var prefix []byte
		if job != "" {
			prefix = append([]byte(job), 0)
		}
		c := tx.Bucket(bucketCheckpoints).Cursor()
		for key, text := c.Seek(prefix); key != nil && bytes.HasPrefix(key, prefix); key, text = c.Next() {
			var r Record
			if err := decode(text, &r); err != nil {
				return err
			}
			all = append(all, r)
		}
		return nil
	})
	slices.SortFunc(all, newest)
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	return all, err
}

// Forget removes a checkpoint from the ledger.
func (l *Ledger) Forget(k Key) error {
	return l.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketCheckpoints).Delete(recordKey(k)) })
}

// Runs returns the latest run of each job, by job id.
func (l *Ledger) Runs() (map[string]Run, error) {
	runs := map[string]Run{}
	err := l.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketRuns).ForEach(func(_, text []byte) error {
			var run Run
			if err := decode(text, &run); err != nil {
				return err
			}
			runs[run.Job] = run
			return nil
		})
	})
	return runs, err
}

// Observe compares what Flink says of a job's run with what is known, and notes a new run and a restore as events. The
// caller leaves LastRecovered open. It returns the run as it is now.
func (l *Ledger) Observe(seen Run) (Run, error) {
	var now Run
	err := l.db.Update(func(tx *bbolt.Tx) error {
		known, err := getRun(tx, seen.Job)
		if err != nil {
			return err
		}
		now = seen
		now.LastRecovered = known.LastRecovered
		var events []Event
		if seen.Started != known.Started {
			// What the new run was restored from is where it counts on; without that it begins anew.
			now.LastRecovered = seen.Restored
			events = append(events, Event{Kind: EventNewRun, Job: seen.Job, Message: seen.Name})
		}
		if seen.Restored >= 0 && (seen.Restored != known.Restored || seen.At != known.At || seen.Started != known.Started) {
			events = append(events, Event{Kind: EventRestored, Job: seen.Job, Checkpoint: seen.Restored})
		}
		if now == known {
			return nil
		}
		for _, e := range events {
			if err := l.append(tx, e); err != nil {
				return err
			}
		}
		return put(tx.Bucket(bucketRuns), []byte(seen.Job), now)
	})
	return now, err
}

// append gives an event its number and time, and forgets the oldest one beyond maxEvents.
func (l *Ledger) append(tx *bbolt.Tx, e Event) error {
	bucket := tx.Bucket(bucketEvents)
	seq, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	e.Seq, e.Time = seq, l.now()
	if seq > maxEvents {
		if err := bucket.Delete(binary.BigEndian.AppendUint64(nil, seq-maxEvents)); err != nil {
			return err
		}
	}
	return put(bucket, binary.BigEndian.AppendUint64(nil, seq), e)
}

// Events returns up to limit events after a sequence number, oldest first. Events older than the last 10,000 are gone.
func (l *Ledger) Events(after uint64, limit int) ([]Event, error) {
	var events []Event
	err := l.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketEvents).Cursor()
		for key, text := c.Seek(binary.BigEndian.AppendUint64(nil, after+1)); key != nil && len(events) < limit; key, text = c.Next() {
			var e Event
			if err := decode(text, &e); err != nil {
				return err
			}
			events = append(events, e)
		}
		return nil
	})
	return events, err
}

func put(bucket *bbolt.Bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return bucket.Put(key, text)
}

// decode reads a value of the ledger; what cannot be read was changed by something else than drey.
func decode(text []byte, value any) error {
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("ledger: a record cannot be read (%w); move the file away: the watcher then begins anew", err)
	}
	return nil
}
