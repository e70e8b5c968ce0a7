package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// reader reads the checkpoints of a cluster as a user does.
type reader struct {
	t       *testing.T
	c       *cluster.Cluster
	program string
	files   *locate.Locator
}

func newReader(t *testing.T, c *cluster.Cluster) *reader {
	t.Helper()
	return &reader{t: t, c: c, program: build(t, drey), files: store(t, c, 0)}
}

// store finds files in the cluster's S3, with so many attempts for each request; 0 is the usual number.
func store(t *testing.T, c *cluster.Cluster, attempts int) *locate.Locator {
	t.Helper()
	files, err := locate.New(locate.Config{S3: s3.Config{
		Endpoint: c.S3, PathStyle: true, AccessKey: c.AccessKey, SecretKey: c.SecretKey, Attempts: attempts,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	return files
}

// with is the same reader for a test within.
func (r *reader) with(t *testing.T) *reader {
	inner := *r
	inner.t = t
	return &inner
}

func (r *reader) open(path string) (*contents.Checkpoint, error) {
	at, err := metadata.ParseLocation(path)
	if err != nil {
		return nil, err
	}
	return contents.Open(context.Background(), r.files, at)
}

// drey runs the program against the cluster's S3 and returns what it printed; the error has what it complained of.
func (r *reader) drey(args ...string) (string, error) {
	var out, complaint bytes.Buffer
	cmd := exec.Command(r.program, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+r.c.AccessKey, "AWS_SECRET_ACCESS_KEY="+r.c.SecretKey, "AWS_SESSION_TOKEN=")
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("drey %s: %w: %s%s", strings.Join(args, " "), err, &out, &complaint)
	}
	return out.String(), nil
}

// must is drey where nothing else than success will do.
func (r *reader) must(args ...string) string {
	r.t.Helper()
	out, err := r.drey(args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// onStore adds how the cluster's S3 is reached.
func (r *reader) onStore(args ...string) []string {
	return append(args, "--s3-endpoint", r.c.S3, "--s3-path-style")
}

// local is where an object lies on this machine, which the S3 server of the cluster does not hide.
func (r *reader) local(path string) string {
	at, err := metadata.ParseLocation(path)
	if err != nil {
		r.t.Fatal(err)
	}
	if at.IsS3() {
		return filepath.Join(r.c.Data, at.Authority, at.Path)
	}
	return at.Path
}

// submitState submits a StateJob.
func submitState(t *testing.T, c *cluster.Cluster, k known, config map[string]string, more ...string) *job {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	flink := flinkrest.New(c.Flink)
	jar, err := flink.UploadJar(t.Context(), filepath.Join(root, "flink-jobs", "target", "flink-jobs.jar"))
	if err != nil {
		t.Fatalf("%v; build the jar with scripts/build", err)
	}
	all := map[string]string{"execution.checkpointing.interval": "1 h"} // the tests trigger
	maps.Copy(all, config)
	j := &job{t: t, flink: flink, c: c}
	j.id, err = flink.RunJar(t.Context(), jar, flinkrest.Run{
		EntryClass: "dev.drey.flink.jobs.StateJob", Parallelism: knownSubtasks, Config: all,
		Args: append([]string{
			"--events", strconv.FormatInt(k.events, 10), "--keys", strconv.FormatInt(k.keys, 10), "--large", strconv.Itoa(k.large),
			"--parallelism", strconv.Itoa(knownSubtasks), "--follow", "true",
		}, more...),
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// trigger makes a checkpoint; while some task has not begun, Flink refuses.
func (j *job) trigger() (made flinkrest.Checkpoint) {
	j.t.Helper()
	await(j.t, "a checkpoint", time.Minute, func() (bool, error) {
		id, err := j.flink.TriggerCheckpoint(j.t.Context(), j.id, false)
		if err == nil {
			made = j.shown(id)
		}
		return err == nil, err
	})
	return made
}

// shown waits until Flink's REST interface shows that a checkpoint is complete: its cache is behind. In the history, for the
// details of a checkpoint that is not there yet may be those of another job's of the same number.
func (j *job) shown(id int64) (made flinkrest.Checkpoint) {
	j.t.Helper()
	await(j.t, fmt.Sprintf("checkpoint %d is shown", id), 10*time.Second, func() (bool, error) {
		all, err := j.flink.Checkpoints(j.t.Context(), j.id)
		for _, made = range all.History {
			if made.ID == id && made.Status == "COMPLETED" {
				return true, nil
			}
		}
		return false, err
	})
	return made
}

func (j *job) cancel() {
	j.t.Helper()
	if err := j.flink.Cancel(context.Background(), j.id); err != nil {
		j.t.Error(err)
	}
	await(j.t, "the job is canceled", time.Minute, func() (bool, error) {
		got, err := j.flink.Job(context.Background(), j.id)
		return got.State == flinkrest.Canceled, err
	})
}
