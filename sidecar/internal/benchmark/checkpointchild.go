package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/pull"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
)

// childCommand is the argument by which this program is started as one that only copies: its memory is then that of the copy,
// and it can be killed. The task comes on standard input, what was done goes to standard output.
const childCommand = "checkpoint-child"

const (
	taskPull   = "pull"       // package pull
	taskGet    = "get"        // a plain loop of GetObject
	taskSynced = "get-synced" // the same, which has each file written to the disk
)

// copyTask says what a child is to copy: objects of a bucket, all of the same size, into a folder.
type copyTask struct {
	Mode     string
	S3       s3.Config
	Bucket   string
	Keys     []string
	Size     int64
	Folder   string
	Parallel int
}

// copyDone is what a child did.
type copyDone struct {
	Seconds   float64
	Fetched   int64   // bytes that came from the store
	PeakBytes int64   // of memory, in the life of the process
	CPU       float64 `json:"-"` // seconds, of the process, which its parent knows
}

// runChild is the program of a child.
func runChild(in io.Reader, out io.Writer) error {
	var task copyTask
	if err := json.NewDecoder(in).Decode(&task); err != nil {
		return fmt.Errorf("task: %w", err)
	}
	done, err := task.run(context.Background())
	if err != nil {
		return err
	}
	if done.PeakBytes, err = peakMemory("self"); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(done)
}

func (t copyTask) run(ctx context.Context) (copyDone, error) {
	begin := time.Now()
	var fetched int64
	var err error
	switch t.Mode {
	case taskPull:
		fetched, err = t.pull(ctx)
	case taskGet, taskSynced:
		fetched, err = t.get(ctx)
	default:
		err = fmt.Errorf("no mode %q", t.Mode)
	}
	return copyDone{Seconds: time.Since(begin).Seconds(), Fetched: fetched}, err
}

// pull copies by package pull.
func (t copyTask) pull(ctx context.Context) (int64, error) {
	client, err := s3.New(ctx, t.S3)
	if err != nil {
		return 0, err
	}
	bucket, err := client.Bucket(t.Bucket)
	if err != nil {
		return 0, err
	}
	source := &countedSource{Source: bucket}
	items := make([]pull.Item, len(t.Keys))
	for i, key := range t.Keys {
		items[i] = pull.Item{Name: key, Source: source, Key: key, URL: "s3://" + t.Bucket + "/" + key, Size: t.Size}
	}
	_, err = pull.Pull(ctx, t.Folder, items, pull.Options{Parallel: t.Parallel})
	return source.bytes.Load(), err
}

// countedSource counts what is read of a source: the benchmark takes nobody's word for it.
type countedSource struct {
	pull.Source
	bytes atomic.Int64
}

func (s *countedSource) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	reader, object, err := s.Source.Open(ctx, key, part)
	if err != nil {
		return nil, object, err
	}
	return &countedReader{reader, &s.bytes}, object, nil
}

type countedReader struct {
	io.ReadCloser
	bytes *atomic.Int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.bytes.Add(int64(n))
	return n, err
}

// get copies by the loop that one would write who only wants the bytes: nothing is compared with a checksum, and after a failure
// all begins anew.
func (t copyTask) get(ctx context.Context) (int64, error) {
	client := awss3.New(awss3.Options{
		Region: t.S3.Region, BaseEndpoint: &t.S3.Endpoint, UsePathStyle: t.S3.PathStyle,
		Credentials:                credentials.NewStaticCredentialsProvider(t.S3.AccessKey, t.S3.SecretKey, ""),
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	var total atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(t.Parallel)
	for _, key := range t.Keys {
		group.Go(func() error {
			n, err := t.getObject(ctx, client, key)
			total.Add(n)
			return err
		})
	}
	err := group.Wait()
	return total.Load(), err
}

func (t copyTask) getObject(ctx context.Context, client *awss3.Client, key string) (n int64, err error) {
	answer, err := client.GetObject(ctx, &awss3.GetObjectInput{Bucket: &t.Bucket, Key: &key})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	name := filepath.Join(t.Folder, key)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return 0, err
	}
	file, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if n, err = io.Copy(file, answer.Body); err == nil && t.Mode == taskSynced {
		err = file.Sync()
	}
	return n, err
}

// peakMemory is the most physical memory that a process has had at once (Linux: VmHWM of /proc/PID/status).
func peakMemory(pid string) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return 0, err
	}
	return peakOf(text)
}

func peakOf(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		if value, ok := strings.CutPrefix(string(line), "VmHWM:"); ok {
			fields := strings.Fields(value)
			if len(fields) != 2 || fields[1] != "kB" {
				return 0, fmt.Errorf("the kernel says %q", line)
			}
			n, err := strconv.ParseInt(fields[0], 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("the kernel says nothing of VmHWM")
}
