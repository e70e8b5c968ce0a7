package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/drey-flink/drey/sidecar/internal/replay/report"
)

// store keeps replays in one file, and their reports beside it. One process holds it.
type store struct {
	folder string
	db     *bbolt.DB
	wrote  func(Replay) // for tests: told of each change, when it is on the disk
}

var bucket = []byte("replays") // id -> Replay, as JSON

func openStore(folder string) (*store, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "replays.db")
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: 5 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("%s: %w; does another process use it?", file, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &store{folder: folder, db: db}, nil
}

// update changes one replay; change gets the zero value if there is none, and says whether it is to be written.
func (s *store) update(id string, change func(r *Replay, found bool) (write bool, err error)) (r Replay, err error) {
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		text := b.Get([]byte(id))
		if text != nil {
			if err := json.Unmarshal(text, &r); err != nil {
				return err
			}
		}
		write, err := change(&r, text != nil)
		if err != nil || !write {
			return err
		}
		r.Updated = time.Now().UTC()
		if text, err = json.Marshal(r); err != nil {
			return err
		}
		return b.Put([]byte(id), text)
	})
	if err == nil && s.wrote != nil {
		s.wrote(r)
	}
	return r, err
}

func (s *store) get(id string) (r Replay, found bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		text := tx.Bucket(bucket).Get([]byte(id))
		if found = text != nil; !found {
			return nil
		}
		return json.Unmarshal(text, &r)
	})
	return r, found, err
}

// list is all of them, the newest first.
func (s *store) list() (all []Replay, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, text []byte) error {
			var r Replay
			if err := json.Unmarshal(text, &r); err != nil {
				return err
			}
			all = append(all, r)
			return nil
		})
	})
	slices.SortFunc(all, func(a, b Replay) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all, err
}

// retain forgets the oldest of those that have ended, but for the newest ones.
func (s *store) retain(most int) error {
	all, err := s.list()
	if err != nil {
		return err
	}
	ended := 0
	for _, r := range all {
		if !r.State.Final() {
			continue
		}
		if ended++; ended <= most {
			continue
		}
		err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete([]byte(r.ID)) })
		if err = errors.Join(err, os.RemoveAll(s.reportFile(r.ID))); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) reportFile(id string) string { return filepath.Join(s.folder, id+".report.json") }

// putReport writes a report under its name when it is whole.
func (s *store) putReport(id string, r *report.Report) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	name := s.reportFile(id)
	f, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(name+".part", name)
}

func (s *store) report(id string) (*report.Report, error) {
	text, err := os.ReadFile(s.reportFile(id))
	if err != nil {
		return nil, err
	}
	r := &report.Report{}
	return r, json.Unmarshal(text, r)
}
