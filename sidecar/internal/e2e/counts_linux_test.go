package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/replay/source"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// TestCountsAreExact disturbs a job that counts per key in the state of two sidecars, and compares what comes out of an exactly-once
// sink with a model. CHAOS_DISTURBANCES is how many disturbances (5; if it is set they last as long as in the worst nights), CHAOS_SEED
// repeats a run, and CHAOS_HA says whether Flink is highly available, which else the seed chooses. scripts/chaos sets them.
func TestCountsAreExact(t *testing.T) {
	t.Parallel() // mostly it waits
	seed, n := rand.Uint64(), uint64(5)
	long := number(t, "CHAOS_DISTURBANCES", &n)
	number(t, "CHAOS_SEED", &seed)
	t.Logf("CHAOS_SEED=%d repeats this run", seed)
	w := newCounts(t, rand.New(rand.NewPCG(seed, 0)), long)
	w.begin("", 2, "")
	w.progress()
	// Each kind before any comes again, in an order that the seed chooses.
	order := w.random.Perm(len(disturbances))
	for i := range int(n) {
		kind := disturbances[order[i%len(order)]]
		t.Logf("%d: %s", i+1, kind.name)
		kind.disturb(w)
		w.progress()
	}
	w.checkGarbage()
	w.checkSnapshots() // before the job ends: Flink deletes the checkpoints of one that has finished
	w.stop()
	w.checkCounts()
}

// number reads a number from the environment, if it is there.
func number(t *testing.T, name string, into *uint64) bool {
	t.Helper()
	text, ok := os.LookupEnv(name)
	if !ok {
		return false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	*into = n
	return true
}

const countedKeys = 100

// counts is a job that counts, with all that it needs.
type counts struct {
	t        *testing.T
	c        *cluster.Cluster
	random   *rand.Rand
	long     bool
	ha       bool
	ids      string            // of the job's events
	options  map[string]string // of the job
	flink    *flinkrest.Client
	reader   *reader
	jar      string
	program  string
	sidecars []countsSidecar

	job         string
	jobs        []string
	life        int // counts the submissions
	parallelism int
	newest      flinkrest.Checkpoint
}

type countsSidecar struct {
	name, http, folder string
	way                *link // of the requests to it
	store              *link // between it and S3
}

// usual is how long an answer is on its way: so that some requests are in flight at every barrier.
const usual = 10 * time.Millisecond

func newCounts(t *testing.T, random *rand.Rand, long bool) *counts {
	t.Helper()
	flip := func() string { return strconv.FormatBool(random.IntN(2) == 0) }
	w := &counts{t: t, random: random, long: long, ha: random.IntN(2) == 0, options: map[string]string{
		"execution.checkpointing.unaligned.enabled": flip(), "drey.async.ordered": flip(), "pipeline.object-reuse": flip(),
	}}
	generated := random.IntN(2) == 0
	if text, ok := os.LookupEnv("CHAOS_HA"); ok {
		ha, err := strconv.ParseBool(text)
		w.must(err)
		w.ha = ha
	}
	w.ids = map[bool]string{true: "generated", false: "of-events"}[generated]
	t.Logf("high availability: %t, ids %s, %v", w.ha, w.ids, w.options)
	// How many checkpoints are retained is the cluster's to say, not the job's.
	config := map[string]string{"execution.checkpointing.num-retained": "20", "heartbeat.timeout": "10000", "heartbeat.interval": "2000"}
	if w.ha {
		maps.Copy(config, highlyAvailable(t))
	}
	w.c = upWith(t, cluster.Options{Slots: 3, Config: config})
	w.flink, w.reader, w.program = flinkrest.New(w.c.Flink), newReader(t, w.c), build(t, subject)
	for _, name := range []string{cluster.NameSidecar, cluster.NameSidecar + "-2"} {
		addr := freeAddr(t)
		s := countsSidecar{name: name, http: addr, folder: filepath.Join(w.c.Dir, name), way: newLink(t, addr), store: newLink(t, strings.TrimPrefix(w.c.S3, "http://"))}
		s.way.set(false, usual)
		w.sidecars = append(w.sidecars, s)
	}
	root, err := cluster.Root()
	w.must(err)
	w.jar = filepath.Join(root, "flink-jobs", "target", "flink-jobs.jar")
	for _, s := range w.sidecars {
		w.startSidecar(s)
	}
	return w
}

func (w *counts) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// startSidecar starts one that keeps state, and follows the checkpoints if it has the lease.
func (w *counts) startSidecar(s countsSidecar) {
	w.t.Helper()
	_, err := w.c.StartSidecarAs(context.Background(), s.name, w.program, "--http-addr", s.http,
		"--state-enabled", "--state-store", "s3://"+w.c.Bucket+"/drey-state", "--state-folder", filepath.Join(s.folder, "state"),
		"--state-s3-endpoint", "http://"+s.store.address(), "--state-s3-path-style", "--state-s3-region", "us-east-1",
		"--state-gc-enabled", "--state-gc-interval", "1s", "--state-gc-grace", "3s", "--state-gc-after", "30s",
		"--watch-flink", w.c.Flink, "--watch-dir", filepath.Join(s.folder, "watch"), "--watch-interval", "1s",
		"--watch-s3-endpoint", "http://"+s.store.address(), "--watch-s3-path-style", "--watch-s3-region", "us-east-1",
		"--watch-lease-object", "s3://"+w.c.Bucket+"/drey-lease", "--watch-lease-ttl", "5s", "--watch-lease-owner", s.name)
	w.must(err)
}

// anySidecar is one of them.
func (w *counts) anySidecar() countsSidecar { return w.sidecars[w.random.IntN(len(w.sidecars))] }

// begin submits the job, from a checkpoint or from nothing.
func (w *counts) begin(from string, parallelism int, claim string) {
	w.t.Helper()
	await(w.t, "all slots are free", 2*time.Minute, func() (bool, error) {
		o, err := w.flink.Overview(w.t.Context())
		return o.SlotsAvailable >= 3, err
	})
	w.life++
	w.parallelism = parallelism
	config := map[string]string{
		"drey.sidecar.url":                                          "http://" + w.sidecars[0].way.address() + ",http://" + w.sidecars[1].way.address(),
		"drey.async.attempt-timeout":                                "2 s",
		"execution.checkpointing.interval":                          "500 ms",
		"execution.checkpointing.timeout":                           "10 s",
		"execution.checkpointing.tolerable-failed-checkpoints":      "1000",
		"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
		"pipeline.max-parallelism":                                  "128",
		"restart-strategy.type":                                     "fixed-delay",
		"restart-strategy.fixed-delay.attempts":                     "1000",
		"restart-strategy.fixed-delay.delay":                        "200 ms",
	}
	maps.Copy(config, w.options)
	if from != "" {
		config["execution.state-recovery.path"] = from
		config["execution.state-recovery.claim-mode"] = claim
		w.t.Logf("   life %d: from %s, %s, parallelism %d", w.life, from[strings.Index(from, w.c.Bucket):], claim, parallelism)
	}
	jar, err := w.flink.UploadJar(w.t.Context(), w.jar) // what was uploaded went with the JobManager
	w.must(err)
	w.job, err = w.flink.RunJar(w.t.Context(), jar, flinkrest.Run{
		EntryClass: "dev.drey.flink.jobs.CountJob", Parallelism: parallelism, Config: config,
		Args: []string{
			"--rate", "500", "--keys", strconv.Itoa(countedKeys), "--ids", w.ids, "--life", strconv.Itoa(w.life),
			"--output-path", "file://" + filepath.Join(w.c.Dir, "out"), "--parallelism", strconv.Itoa(parallelism),
		},
	})
	w.must(err)
	w.jobs = append(w.jobs, w.job)
	w.newest = flinkrest.Checkpoint{}
}

// claimMode is one of Flink's.
func (w *counts) claimMode() string { return []string{"NO_CLAIM", "CLAIM"}[w.random.IntN(2)] }

// progress waits for two checkpoints that complete from now on: the second one began after the disturbance.
func (w *counts) progress() {
	w.t.Helper()
	before := w.completed()
	for range 2 {
		await(w.t, "a checkpoint completes", 3*time.Minute, func() (bool, error) {
			w.completed()
			return w.newest.ID > before.ID, nil
		})
		before = w.newest
	}
}

// completed asks for the newest completed checkpoint. While nobody answers it is the one that was known before.
func (w *counts) completed() flinkrest.Checkpoint {
	all, err := w.flink.Checkpoints(w.t.Context(), w.job)
	if err == nil && all.Latest.Completed != nil && all.Latest.Completed.ID > w.newest.ID {
		w.newest = *all.Latest.Completed
	}
	return w.newest
}

// cancel ends the job, whose checkpoints stay.
func (w *counts) cancel() {
	w.t.Helper()
	w.must(w.flink.Cancel(w.t.Context(), w.job))
	w.ended()
}

func (w *counts) ended() {
	w.t.Helper()
	await(w.t, "the job has ended", 2*time.Minute, func() (bool, error) {
		j, err := w.flink.Job(w.t.Context(), w.job)
		return j.State.Ended(), err
	})
}

// savepoint ends the job with one, and begins it again from there.
func (w *counts) savepoint(parallelism int, format flinkrest.Format) {
	w.t.Helper()
	at, err := w.flink.Stop(w.t.Context(), w.job, "s3://"+w.c.Bucket+"/savepoints", format, false)
	w.must(err)
	w.ended()
	w.begin(at, parallelism, w.claimMode())
}

// stop ends the job for good: everything that the source has sent is counted and committed.
func (w *counts) stop() {
	w.t.Helper()
	_, err := w.flink.Stop(w.t.Context(), w.job, "s3://"+w.c.Bucket+"/savepoints", flinkrest.Canonical, true)
	w.must(err)
	w.ended()
}

// checkSnapshots restores the state of every checkpoint that Flink retains, of all lives, and of every savepoint.
func (w *counts) checkSnapshots() {
	w.t.Helper()
	client, err := s3.New(w.t.Context(), s3.Config{
		Endpoint: w.c.S3, PathStyle: true, Region: "us-east-1", AccessKey: w.c.AccessKey, SecretKey: w.c.SecretKey,
	})
	w.must(err)
	store, err := client.Bucket(w.c.Bucket)
	w.must(err)
	restored := 0
	root := filepath.Join(w.c.Data, w.c.Bucket)
	patterns := []string{filepath.Join(root, "savepoints", "*", "_metadata")}
	for _, job := range w.jobs {
		patterns = append(patterns, filepath.Join(root, "checkpoints", job, "chk-*", "_metadata"))
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		w.must(err)
		for _, path := range found {
			name, err := filepath.Rel(root, filepath.Dir(path))
			w.must(err)
			name = filepath.ToSlash(name)
			err = w.restore(store, name)
			if _, gone := os.Stat(path); os.IsNotExist(gone) {
				continue // Flink goes on, and retains it no more
			}
			if err != nil {
				w.t.Errorf("%s: %v", name, err)
			}
			restored++
		}
	}
	if restored == 0 {
		w.t.Error("no checkpoint was retained")
	}
	w.t.Logf("the state of %d retained checkpoints and savepoints is there", restored)
}

// restore restores the state of the job's one operator from a checkpoint, by its folder in the bucket.
func (w *counts) restore(store segment.Opener, checkpoint string) error {
	c, err := w.reader.open("s3://" + w.c.Bucket + "/" + checkpoint)
	if err != nil {
		return err
	}
	operators, err := source.Operators(w.t.Context(), c)
	if err != nil {
		return err
	}
	if len(operators) != 1 || operators[0].Operator != "go-count" || operators[0].MaxParallelism != 128 || len(operators[0].References) == 0 {
		return fmt.Errorf("it refers to %+v", operators)
	}
	_, err = segment.Restore(w.t.Context(), store, operators[0].References, segment.Want{
		Operator: "go-count", MaxParallelism: 128, KeyGroups: statestore.Range{To: 127}, Parallel: 4,
	})
	return err
}

// checkGarbage waits until snapshots are removed that no checkpoint refers to any more: at the latest those of the present life, which
// goes on and on. Where a sidecar has lost its disk and Flink its jobs, which a JobManager does for those that have ended also if it is
// highly available, nobody knows any more whose some snapshots are: it may take as long as state.gc.after.
func (w *counts) checkGarbage() {
	w.t.Helper()
	await(w.t, "snapshots are removed that no checkpoint refers to", 2*time.Minute, func() (bool, error) {
		for _, s := range w.sidecars {
			text, err := os.ReadFile(filepath.Join(w.c.Dir, "logs", s.name+".log"))
			if err != nil || bytes.Contains(text, []byte("that no checkpoint refers to were removed")) {
				return err == nil, err
			}
		}
		return false, nil
	})
}
