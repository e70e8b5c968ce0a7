package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	pullParallel = 8
	pullBlock    = 1 << 20 // what package pull writes at once: so much of each request in flight a crash may cost
	pullMemory   = 128e6
	pullKeys     = "chk-1/%03d"
)

// pullBench copies the same objects in several ways, each time by a new process.
type pullBench struct {
	store  *objectStore
	dir    string
	task   copyTask
	total  int64
	peak   int64 // of all pulls
	binary string
}

// benchPull compares package pull with a plain loop of GetObject, and ends a pull in the middle.
func benchPull(ctx context.Context, r *Report, store *objectStore, dir string, sizes checkpointSizes) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	b := &pullBench{store: store, dir: dir, binary: binary, total: int64(sizes.objects) * int64(sizes.objectSize)}
	b.task = copyTask{S3: store.config, Bucket: benchBucket, Size: int64(sizes.objectSize), Parallel: pullParallel}
	for i := range sizes.objects {
		b.task.Keys = append(b.task.Keys, fmt.Sprintf(pullKeys, i))
	}
	say("uploading %d objects of %d bytes", sizes.objects, sizes.objectSize)
	if err := b.upload(ctx); err != nil {
		return err
	}
	if err := b.compare(ctx, r, sizes.pulls); err != nil {
		return err
	}
	if err := b.resume(ctx, r); err != nil {
		return err
	}
	r.less(Case{
		Case: "pull, peak memory of the process", Against: "goal", Ours: float64(b.peak) / 1e6, Theirs: pullMemory / 1e6, Unit: "MB", Goal: 1,
		Note: fmt.Sprintf("the largest VmHWM of %d pulls, the resumed one among them", sizes.pulls+1),
	})
	return nil
}

// content is that of an object: no two are alike, and none can be compressed.
func content(object int, size int64) []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(object)+1)
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(seed).Read(data) // never an error
	return data
}

func (b *pullBench) upload(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i, key := range b.task.Keys {
		group.Go(func() error {
			_, err := b.store.bucket.Create(ctx, key, bytes.NewReader(content(i, b.task.Size)), b.task.Size)
			return err
		})
	}
	return group.Wait()
}

// compare copies in turn, each round in another order.
func (b *pullBench) compare(ctx context.Context, r *Report, rounds int) error {
	modes := []string{taskPull, taskGet, taskSynced}
	measured := map[string][]copyDone{} // by mode, one a round
	for round := range rounds + 1 {     // the first one warms up the server
		say("round %d of %d: pull", round, rounds)
		for i := range modes {
			mode := modes[(round+i)%len(modes)]
			done, err := b.once(ctx, mode, round == 0)
			if err != nil {
				return err
			}
			if mode == taskPull {
				b.peak = max(b.peak, done.PeakBytes)
			}
			if round > 0 {
				measured[mode] = append(measured[mode], done)
			}
		}
	}
	name := fmt.Sprintf("pull of %.0f MB in %d objects from S3", float64(b.total)/1e6, len(b.task.Keys))
	plain := compareCopies(measured[taskPull], measured[taskGet], b.total)
	plain.Case, plain.Against, plain.Goal = name, "plain loop of GetObject", 0.8
	plain.Note = fmt.Sprintf("median of %d rounds in turn, %d requests at the same time, each copy by a new process; ours is compared with the store's "+
		"checksums and synced, the loop's is neither; %s", rounds, pullParallel, plain.Note)
	synced := compareCopies(measured[taskPull], measured[taskSynced], b.total)
	synced.Case, synced.Against = name, "the same loop, each file synced"
	r.Cases = append(r.Cases, plain, synced)
	return nil
}

// compareCopies compares round by round.
func compareCopies(ours, theirs []copyDone, total int64) Case {
	var a, b, ratios, ourCPU, theirCPU []float64
	var peak int64
	for i := range ours {
		a, b = append(a, megabytes(int(total), 1, ours[i].Seconds)), append(b, megabytes(int(total), 1, theirs[i].Seconds))
		ratios = append(ratios, theirs[i].Seconds/ours[i].Seconds)
		ourCPU, theirCPU = append(ourCPU, ours[i].CPU), append(theirCPU, theirs[i].CPU)
		peak = max(peak, theirs[i].PeakBytes)
	}
	return Case{
		Unit: "MB/s", Ours: median(a), Theirs: median(b), Ratio: median(ratios),
		Note: fmt.Sprintf("processor time of a copy %.2f s against %.2f s; the loop's process takes up to %.0f MB", median(ourCPU), median(theirCPU), float64(peak)/1e6),
	}
}

// once makes one copy from nothing, and removes it.
func (b *pullBench) once(ctx context.Context, mode string, verify bool) (copyDone, error) {
	dir, err := os.MkdirTemp(b.dir, "copy-")
	if err != nil {
		return copyDone{}, err
	}
	defer os.RemoveAll(dir)
	folder := filepath.Join(dir, "copy")
	syscall.Sync() // what others have left to write is not to be paid for by this copy
	child, err := b.start(ctx, mode, folder)
	if err != nil {
		return copyDone{}, err
	}
	done, err := child.wait(ctx)
	if err != nil {
		return done, err
	}
	if done.Fetched != b.total {
		return done, fmt.Errorf("%s fetched %d bytes of %d", mode, done.Fetched, b.total)
	}
	if verify {
		return done, b.verify(folder)
	}
	return done, nil
}

// copyChild is a process that copies.
type copyChild struct {
	*tied
	out bytes.Buffer
}

func (b *pullBench) start(ctx context.Context, mode, folder string) (*copyChild, error) {
	task := b.task
	task.Mode, task.Folder = mode, folder
	text, err := json.Marshal(task)
	if err != nil {
		return nil, err
	}
	child := &copyChild{}
	cmd := exec.CommandContext(ctx, b.binary, childCommand)
	cmd.Stdin, cmd.Stdout = bytes.NewReader(text), &child.out
	child.tied, err = tie(b.dir, cmd)
	return child, err
}

func (c *copyChild) wait(ctx context.Context) (done copyDone, err error) {
	<-c.ended
	if ctx.Err() != nil {
		return done, ctx.Err()
	}
	if !c.cmd.ProcessState.Success() {
		return done, c.died()
	}
	err = json.Unmarshal(c.out.Bytes(), &done)
	done.CPU = (c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()).Seconds()
	return done, err
}

// verify compares a copy with what was uploaded.
func (b *pullBench) verify(folder string) error {
	for i, key := range b.task.Keys {
		data, err := os.ReadFile(filepath.Join(folder, key))
		if err != nil {
			return err
		}
		if !bytes.Equal(data, content(i, b.task.Size)) {
			return fmt.Errorf("%s is not what was uploaded", key)
		}
	}
	return nil
}

// resume kills a pull in the middle, has another process go on, and looks what that fetched.
func (b *pullBench) resume(ctx context.Context, r *Report) error {
	say("a pull that is killed, and goes on")
	folder := filepath.Join(b.dir, "resumed")
	defer os.RemoveAll(folder)
	there, err := b.interrupt(ctx, folder)
	if err != nil {
		return err
	}
	child, err := b.start(ctx, taskPull, folder)
	if err != nil {
		return err
	}
	done, err := child.wait(ctx)
	if err != nil {
		return err
	}
	b.peak = max(b.peak, done.PeakBytes)
	if err := b.verify(folder); err != nil {
		return err
	}
	c, err := resumed(b.total, there, done.Fetched)
	if err != nil {
		return err
	}
	r.Cases = append(r.Cases, c)
	return nil
}

// resumed is the case of a pull that was killed when there bytes of total were there, and then fetched the rest.
func resumed(total, there, fetched int64) (Case, error) {
	missing := total - there
	if fetched < missing {
		return Case{}, fmt.Errorf("%d bytes were missing, and only %d were fetched", missing, fetched)
	}
	const slack = pullParallel * pullBlock
	return Case{
		Case: "pull after kill -9, bytes fetched", Against: "bytes that were missing", Unit: "MB",
		Ours: float64(fetched) / 1e6, Theirs: float64(missing) / 1e6, Ratio: float64(missing) / float64(fetched),
		Goal: float64(missing) / float64(missing+slack),
		Note: fmt.Sprintf("%.1f MB of %.0f were there when it was killed, and %.1f MB were fetched again; the goal leaves one block of 1 MiB to each of %d requests",
			float64(there)/1e6, float64(total)/1e6, float64(fetched-missing)/1e6, pullParallel),
	}, nil
}

// interrupt starts a pull and kills it when half of the bytes are there. It answers with how many were.
func (b *pullBench) interrupt(ctx context.Context, folder string) (int64, error) {
	child, err := b.start(ctx, taskPull, folder)
	if err != nil {
		return 0, err
	}
	part := folder + ".part" // see package pull
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for b.there(part) < b.total/2 {
		select {
		case <-child.ended:
			_, err := child.wait(ctx)
			return 0, errors.Join(err, errors.New("the pull ended before it could be killed"))
		case <-look.C:
		}
	}
	if err := child.kill(); err != nil {
		return 0, err
	}
	if status, ok := child.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && !status.Signaled() {
		return 0, errors.New("the pull ended before it could be killed")
	}
	return b.there(part), ctx.Err()
}

// there is how many bytes of the objects lie in a folder that is being filled. A file is written from its beginning.
func (b *pullBench) there(folder string) (total int64) {
	for _, key := range b.task.Keys {
		if info, err := os.Stat(filepath.Join(folder, key)); err == nil {
			total += info.Size()
		}
	}
	return total
}
