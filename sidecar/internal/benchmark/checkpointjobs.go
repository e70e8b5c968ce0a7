package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	checkpoints "github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// historyBefore is how many checkpoints each job has completed before it is watched: as many as Flink shows.
const historyBefore = 10

// watchedJobs are the jobs of a scripted JobManager. Their checkpoints are those of a real job
// (sidecar/metadata/testdata/files) under other numbers, as objects in S3.
type watchedJobs struct {
	jm     *flinkresttest.JobManager
	jobs   []*flinkresttest.Job
	last   []int64 // number of the last checkpoint of each
	store  *objectStore
	meta   []byte
	states map[string][]byte // the files beside it
	alone  *bare
}

// bare is as much of a test as flinkresttest needs.
type bare struct {
	testing.TB // nil: what is not below is not called
	cleanups   []func()
}

func (b *bare) Helper()          {}
func (b *bare) Log(a ...any)     { say("JobManager: %s", fmt.Sprint(a...)) }
func (b *bare) Cleanup(f func()) { b.cleanups = append(b.cleanups, f) }

func newWatchedJobs(root string, store *objectStore, n int) (*watchedJobs, error) {
	j := &watchedJobs{store: store, last: make([]int64, n), alone: &bare{}}
	if err := j.read(filepath.Join(root, "sidecar", "metadata", "testdata", "files")); err != nil {
		return nil, err
	}
	j.jm = flinkresttest.New(j.alone)
	for i := range n {
		j.jobs = append(j.jobs, j.jm.AddJob(fmt.Sprintf("%032x", 0xdeed0000+i), fmt.Sprintf("job %d", i)))
	}
	return j, nil
}

func (j *watchedJobs) end() {
	for _, cleanup := range j.alone.cleanups {
		cleanup()
	}
}

// read takes a real checkpoint. Files of state that were not captured are zeros of the same size.
func (j *watchedJobs) read(folder string) (err error) {
	if j.meta, err = os.ReadFile(filepath.Join(folder, "_metadata")); err != nil {
		return err
	}
	parsed, err := metadata.Parse(j.meta)
	if err != nil {
		return err
	}
	at := metadata.Location{Scheme: "s3", Authority: benchBucket, Path: "/x"}
	files, err := parsed.Files(at)
	if err != nil {
		return err
	}
	j.states = map[string][]byte{}
	for i := range files {
		if files[i].Location.Dir() != at {
			return fmt.Errorf("%s does not lie beside its _metadata", files[i].Location)
		}
		name := filepath.Base(files[i].Location.Path)
		state, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			state, err = make([]byte, files[i].Offset()+files[i].Size()), nil
		}
		if err != nil {
			return err
		}
		j.states[name] = state
	}
	return nil
}

func (j *watchedJobs) files() int { return len(j.states) + 1 }

func (j *watchedJobs) bytes() (total int64) {
	for _, state := range j.states {
		total += int64(len(state))
	}
	return total + int64(len(j.meta))
}

func (j *watchedJobs) folder(job int, id int64) string {
	return fmt.Sprintf("ck/%s/chk-%d", j.jobs[job].ID, id)
}

func (j *watchedJobs) path(job int, id int64) string {
	return "s3://" + benchBucket + "/" + j.folder(job, id)
}

// upload puts the objects of a checkpoint into S3, _metadata last, as Flink does.
func (j *watchedJobs) upload(ctx context.Context, job int, id int64) error {
	put := func(name string, content []byte) error {
		_, err := j.store.bucket.Create(ctx, j.folder(job, id)+"/"+name, bytes.NewReader(content), int64(len(content)))
		return err
	}
	for name, state := range j.states {
		if err := put(name, state); err != nil {
			return err
		}
	}
	meta := bytes.Clone(j.meta)
	binary.BigEndian.PutUint64(meta[8:], uint64(id)) // behind magic number and version
	return put("_metadata", meta)
}

// begin gives a job its history: of all checkpoints but the newest nothing is left, as with Flink's defaults.
func (j *watchedJobs) begin(ctx context.Context, job int) error {
	if err := j.upload(ctx, job, historyBefore); err != nil {
		return err
	}
	for range historyBefore {
		j.next(job)
	}
	return nil
}

// next has a job complete its next checkpoint, which subsumes the one before.
func (j *watchedJobs) next(job int) int64 {
	j.last[job]++
	id := j.last[job]
	j.jobs[job].Complete(id, j.path(job, id), time.Now().UnixMilli())
	j.jobs[job].Discard(id - 1)
	return id
}

// copyAlone copies the newest checkpoint of some jobs, one after the other, while nothing else goes on: how long a copy takes,
// in the median, in seconds.
func (j *watchedJobs) copyAlone(ctx context.Context, folder string, n int) (_ float64, err error) {
	locator, err := locate.New(locate.Config{S3: j.store.config})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, locator.Close()) }()
	copier := checkpoints.NewCopier(locator, nil, pullParallel)
	var seconds []float64
	for job := range min(n, len(j.jobs)) {
		key := checkpoint.Key{Job: j.jobs[job].ID, ID: j.last[job], Path: j.path(job, j.last[job])}
		begin := time.Now()
		if _, err := copier.Copy(ctx, key, filepath.Join(folder, key.Folder())); err != nil {
			return 0, err
		}
		seconds = append(seconds, time.Since(begin).Seconds())
	}
	return median(seconds), nil
}
