package checkpoint

import (
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// maxEvents is how many events are kept; a reader that was away for longer reads the list of checkpoints instead.
const maxEvents = 10_000

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

// Note appends an event of something else; readers hear of it through Watcher.Note.
func (l *Ledger) Note(e Event) error {
	return l.db.Update(func(tx *bbolt.Tx) error { return l.append(tx, e) })
}

// Events returns up to limit events after a sequence number, oldest first. Events older than the last 10,000 are gone.
func (l *Ledger) Events(after uint64, limit int) ([]Event, error) {
	var events []Event
	if after+1 == 0 {
		return nil, nil // no event can have a larger number
	}
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

// Span returns the numbers of the oldest event that is kept and of the newest; 0, 0 if there is none.
func (l *Ledger) Span() (oldest, newest uint64, err error) {
	err = l.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketEvents).Cursor()
		if key, _ := c.First(); len(key) == 8 {
			oldest = binary.BigEndian.Uint64(key)
		}
		if key, _ := c.Last(); len(key) == 8 {
			newest = binary.BigEndian.Uint64(key)
		}
		return nil
	})
	return oldest, newest, err
}
