package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
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

// The buckets. runs: job -> storedRun. checkpoints: job, 0, big-endian id, hash of the key -> Record. events: big-endian
// sequence number -> Event. meta: "format" -> ledgerFormat.
var (
	bucketMeta        = []byte("meta")
	bucketRuns        = []byte("runs")
	bucketCheckpoints = []byte("checkpoints")
	bucketEvents      = []byte("events")
)

// ledgerFormat is the version of what is in the buckets.
const ledgerFormat = "1"

// OpenLedger opens the file, or makes it. It waits up to wait for another process to let it go.
func OpenLedger(path string, wait time.Duration, now func() time.Time) (*Ledger, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait})
	if err != nil {
		return nil, unusable(path, err)
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
		return nil, errors.Join(unusable(path, err), db.Close())
	}
	return &Ledger{db: db, now: now}, nil
}

// unusable says what to do about a ledger that cannot be opened.
func unusable(path string, err error) error {
	var cause *os.PathError
	if errors.As(err, &cause) {
		err = cause.Err // the path stands before it
	}
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("ledger %s: another drey holds it; stop that one, or give this one another folder (watch.dir)", path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("ledger %s: %w; move it away: the watcher then begins with what Flink and the local copies show", path, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("ledger %s: %w; free some space, or give another folder (watch.dir)", path, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("ledger %s: %w; give a folder that this user may write to (watch.dir)", path, err)
	}
	return fmt.Errorf("ledger %s: %w", path, err)
}

// Close lets the file go.
func (l *Ledger) Close() error { return l.db.Close() }

func recordPrefix(job string, id int64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(job), 0), uint64(id))
}

func recordKey(k Key) []byte { return append(recordPrefix(k.Job, k.ID), k.Folder()...) }

// See notes a checkpoint that Flink completed and returns what is known of it. It is new if it was not known before. One
// that is not newer than the last recovered one of its run is dropped: a late webhook, say. Savepoints never are,
// and may come in a final state.
//
// A webhook does not know when the checkpoint was triggered (Triggered is 0): within a run its word and that of a poll are of
// the same checkpoint if the number and the path are the same. Whoever speaks first gives it its Key.
func (l *Ledger) See(r Record) (known Record, isNew bool, err error) {
	// Each poll shows ten checkpoints that are known. To look first costs no sync of the file, as an update does even if it
	// changes nothing.
	var found bool
	err = l.db.View(func(tx *bbolt.Tx) error {
		run, err := getRun(tx, r.Job)
		if err != nil {
			return err
		}
		r.Run = run.Started
		known, found, err = same(tx, r)
		return err
	})
	if err != nil || found && !known.learns(r) {
		return known, false, err
	}
	err = l.db.Update(func(tx *bbolt.Tx) error {
		known, isNew, err = l.see(tx, r)
		return err
	})
	return known, isNew, err
}

func (l *Ledger) see(tx *bbolt.Tx, r Record) (known Record, isNew bool, err error) {
	run, err := getRun(tx, r.Job)
	if err != nil {
		return known, false, err
	}
	r.Run = run.Started
	bucket := tx.Bucket(bucketCheckpoints)
	known, found, err := same(tx, r)
	switch {
	case err != nil:
		return known, false, err
	case found:
		known.Savepoint, known.StateSize = r.Savepoint, r.StateSize
		return known, false, put(bucket, recordKey(known.Key), known)
	}
	event := Event{Kind: EventCompleted, Job: r.Job, Checkpoint: r.ID, Path: r.Path}
	if r.SeenAt = l.now(); r.State == "" {
		r.State = Seen
	}
	if r.State == Gone {
		event.Kind, event.Message = EventGone, r.Error
	}
	if !r.Savepoint && r.ID <= run.LastRecovered {
		r.State, event.Kind = Dropped, EventDropped
		event.Message = fmt.Sprintf("not newer than checkpoint %d, which is recovered", run.LastRecovered)
	}
	if r.Seq, err = bucket.NextSequence(); err != nil {
		return r, false, err
	}
	return r, true, errors.Join(put(bucket, recordKey(r.Key), r), l.append(tx, event))
}

// same finds what is known of a checkpoint.
func same(tx *bbolt.Tx, r Record) (known Record, found bool, err error) {
	bucket := tx.Bucket(bucketCheckpoints)
	if text := bucket.Get(recordKey(r.Key)); text != nil {
		return known, true, decode(text, &known)
	}
	prefix := recordPrefix(r.Job, r.ID)
	c := bucket.Cursor()
	for key, text := c.Seek(prefix); key != nil && bytes.HasPrefix(key, prefix); key, text = c.Next() {
		if err := decode(text, &known); err != nil {
			return known, false, err
		}
		if known.Run == r.Run && known.Path == r.Path && (known.Triggered == 0 || r.Triggered == 0) {
			return known, true, nil
		}
	}
	return Record{}, false, nil
}

// learns says whether a poll tells more than the webhook did that came first.
func (r Record) learns(polled Record) bool {
	return r.Triggered == 0 && r.StateSize == 0 && polled.StateSize != 0
}

// Finish stores how the work on a checkpoint ended. A copied checkpoint moves its run forward.
func (l *Ledger) Finish(r Record, kind Kind, message string) error {
	return l.db.Update(func(tx *bbolt.Tx) error {
		if r.State == Copied && !r.Savepoint {
			run, err := getRun(tx, r.Job)
			if err != nil {
				return err
			}
			if r.Run == run.Started && r.ID > run.LastRecovered {
				run.LastRecovered = r.ID
				if err := put(tx.Bucket(bucketRuns), []byte(r.Job), run); err != nil {
					return err
				}
			}
		}
		if err := putRecord(tx, r); err != nil {
			return err
		}
		return l.append(tx, Event{Kind: kind, Job: r.Job, Checkpoint: r.ID, Path: r.Path, Message: message})
	})
}

// Drop notes that checkpoints of a job will not be copied, and why, as one event: after an outage there may be hundreds.
func (l *Ledger) Drop(records []Record, why string) error {
	if len(records) == 0 {
		return nil
	}
	return l.db.Update(func(tx *bbolt.Tx) error {
		last := records[0]
		for _, r := range records {
			r.State = Dropped
			if err := put(tx.Bucket(bucketCheckpoints), recordKey(r.Key), r); err != nil {
				return err
			}
			if r.ID > last.ID {
				last = r
			}
		}
		event := Event{Kind: EventDropped, Job: last.Job, Checkpoint: last.ID, Path: last.Path, Message: why}
		if n := len(records); n > 1 {
			event.Message = fmt.Sprintf("%d checkpoints, this one is the newest of them: %s", n, why)
		}
		return l.append(tx, event)
	})
}

// Store replaces a record, without an event.
func (l *Ledger) Store(r Record) error {
	return l.db.Update(func(tx *bbolt.Tx) error { return putRecord(tx, r) })
}

// putRecord keeps what a poll has added to a webhook's word meanwhile: see Record.learns.
func putRecord(tx *bbolt.Tx, r Record) error {
	bucket, key := tx.Bucket(bucketCheckpoints), recordKey(r.Key)
	if text := bucket.Get(key); text != nil && r.StateSize == 0 {
		var known Record
		if err := decode(text, &known); err != nil {
			return err
		}
		r.StateSize, r.Savepoint = known.StateSize, known.Savepoint
	}
	return put(bucket, key, r)
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

// Find returns the newest checkpoint of a job with a number.
func (l *Ledger) Find(job string, id int64) (r Record, found bool, err error) {
	records, err := l.list(recordPrefix(job, id))
	if err != nil || len(records) == 0 {
		return Record{}, false, err
	}
	return records[0], true, nil
}

// List returns the checkpoints of a job, or of all jobs if job is empty, the newest first, at most limit if it is not 0.
func (l *Ledger) List(job string, limit int) ([]Record, error) {
	var prefix []byte
	if job != "" {
		prefix = append([]byte(job), 0)
	}
	all, err := l.list(prefix)
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	return all, err
}

func (l *Ledger) list(prefix []byte) ([]Record, error) {
	all := []Record{}
	err := l.db.View(func(tx *bbolt.Tx) error {
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
	return all, err
}

// Forget removes checkpoints from the ledger.
func (l *Ledger) Forget(records []Record) error {
	if len(records) == 0 {
		return nil
	}
	return l.db.Update(func(tx *bbolt.Tx) error {
		for _, r := range records {
			if err := tx.Bucket(bucketCheckpoints).Delete(recordKey(r.Key)); err != nil {
				return err
			}
		}
		return nil
	})
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
