package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/dir"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

const (
	stateGroups = 128
	stateValue  = 64
)

// stateOf is a session that is filled from inside.
type stateOf struct {
	sessions *session.Manager
	token    session.Token
	epoch    uint64
	random   *rand.ChaCha8
}

func openState(ctx context.Context, store session.Store, config session.Config, subtask, subtasks int) (*stateOf, error) {
	m, err := session.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return openSubtask(ctx, m, subtask, subtasks)
}

func openSubtask(ctx context.Context, m *session.Manager, subtask, subtasks int) (*stateOf, error) {
	token, err := m.Open(ctx, session.Spec{
		Job: "bench", Operator: "op", Subtask: subtask, MaxParallelism: stateGroups, KeyGroups: statestore.SubtaskRange(stateGroups, subtasks, subtask),
	})
	return &stateOf{sessions: m, token: token, random: rand.NewChaCha8([32]byte{byte(subtask)})}, err
}

// put writes a value of a key, as a request does that has no id.
func (s *stateOf) put(ctx context.Context, keyGroup uint16, key string, size int) error {
	value := make([]byte, size)
	if _, err := s.random.Read(value); err != nil {
		return err
	}
	_, _, err := s.sessions.Apply(ctx, s.token, session.Request{Request: statestore.Request{KeyGroup: keyGroup, Epoch: s.epoch}}, func(tx *statestore.Tx) ([]byte, error) {
		tx.Change(key, statestore.Set(value, 0))
		return nil, nil
	})
	return err
}

// mark takes a snapshot, and says how long it took until it was in the store.
func (s *stateOf) mark(ctx context.Context, full bool) (segment.Reference, time.Duration, error) {
	s.epoch++
	start := time.Now()
	if err := s.sessions.Mark(ctx, s.token, session.Mark{Epoch: s.epoch, Full: full}); err != nil {
		return segment.Reference{}, 0, err
	}
	ref, err := s.sessions.Durable(ctx, s.token, s.epoch)
	return ref, time.Since(start), err
}

// benchBarrier compares a barrier of which 1 % changed with one that writes everything.
func benchBarrier(ctx context.Context, r *Report, folder string, sizes stateSizes) (err error) {
	if err := os.Mkdir(filepath.Join(folder, "store"), 0o755); err != nil {
		return err
	}
	store, err := dir.Open(filepath.Join(folder, "store"))
	if err != nil {
		return err
	}
	config := session.DefaultConfig()
	config.Folder, config.MaxChain = filepath.Join(folder, "log"), 1000
	s, err := openState(ctx, store, config, 0, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.sessions.Shutdown(), store.Close()) }()
	names := make([]string, sizes.keys)
	for i := range names {
		names[i] = fmt.Sprintf("customer-%07d", i)
		if err := s.put(ctx, uint16(i%stateGroups), names[i], stateValue); err != nil {
			return err
		}
	}
	if _, _, err := s.mark(ctx, true); err != nil {
		return err
	}
	var ours, theirs, ratios []float64
	for range sizes.rounds {
		var took [2]time.Duration
		for i, full := range []bool{true, false} {
			for range sizes.keys / 100 {
				n := int(s.random.Uint64() % uint64(len(names)))
				if err := s.put(ctx, uint16(n%stateGroups), names[n], stateValue); err != nil {
					return err
				}
			}
			if _, took[i], err = s.mark(ctx, full); err != nil {
				return err
			}
		}
		theirs, ours, ratios = append(theirs, ms(took[0])), append(ours, ms(took[1])), append(ratios, took[0].Seconds()/took[1].Seconds())
	}
	r.Cases = append(r.Cases, Case{
		Case: fmt.Sprintf("barrier, %d keys, 1 %% changed", sizes.keys), Against: "a full snapshot", Unit: "ms", Goal: 20,
		Ours: median(ours), Theirs: median(theirs), Ratio: median(ratios),
		Note: fmt.Sprintf("from the mark until the snapshot is synced in a local store; values of %d bytes, median of %d rounds in turn", stateValue, sizes.rounds),
	})
	return nil
}

const restoreSubtasks, restoreValue = 8, 1000

// benchRestore compares a restore with a plain copy of the same objects.
func benchRestore(ctx context.Context, r *Report, folder string, sizes stateSizes) error {
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	server, err := startStore(ctx, root, folder)
	if err != nil {
		return err
	}
	defer server.stop()
	config := session.DefaultConfig()
	m, err := session.New(config, server.bucket, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	var references []segment.Reference
	var keys []string
	for i := range restoreSubtasks {
		s, err := openSubtask(ctx, m, i, restoreSubtasks)
		if err != nil {
			return errors.Join(err, m.Shutdown())
		}
		groups := statestore.SubtaskRange(stateGroups, restoreSubtasks, i)
		for n := range int(sizes.restored / restoreSubtasks / restoreValue) {
			var key [8]byte
			binary.BigEndian.PutUint64(key[:], uint64(n))
			if err := s.put(ctx, groups.From+uint16(n%groups.Len()), string(key[:]), restoreValue); err != nil {
				return errors.Join(err, m.Shutdown())
			}
		}
		ref, _, err := s.mark(ctx, true)
		if err != nil {
			return errors.Join(err, m.Shutdown())
		}
		references = append(references, ref)
		manifest, err := segment.GetManifest(ctx, server.bucket, ref)
		if err != nil {
			return errors.Join(err, m.Shutdown())
		}
		for _, s := range manifest.Segments {
			keys = append(keys, s.Key)
		}
	}
	if err := m.Shutdown(); err != nil {
		return err
	}
	var ours, theirs, ratios []float64
	for round := range sizes.rounds + 1 {
		start := time.Now()
		size, err := copyPlain(ctx, server, keys, folder)
		if err != nil {
			return err
		}
		plain := time.Since(start)
		start = time.Now()
		if _, err := segment.Restore(ctx, server.bucket, references, segment.Want{
			Operator: "op", MaxParallelism: stateGroups, KeyGroups: statestore.Range{To: stateGroups - 1}, Parallel: restoreSubtasks,
		}); err != nil {
			return err
		}
		restored := time.Since(start)
		if round == 0 {
			continue // warms up the server
		}
		rate := func(d time.Duration) float64 { return float64(size) / 1e6 / d.Seconds() }
		ours, theirs, ratios = append(ours, rate(restored)), append(theirs, rate(plain)), append(ratios, plain.Seconds()/restored.Seconds())
	}
	r.Cases = append(r.Cases, Case{
		Case: fmt.Sprintf("restore of %d MB of state from S3 into memory", sizes.restored>>20), Against: "a plain copy of the objects to files", Unit: "MB/s", Goal: 0.6,
		Ours: median(ours), Theirs: median(theirs), Ratio: median(ratios),
		Note: fmt.Sprintf("values of %d bytes, %d objects, %d requests at the same time; the files are not synced; median of %d rounds in turn", restoreValue, len(keys), restoreSubtasks, sizes.rounds),
	})
	return nil
}

// copyPlain reads objects into files, and checks nothing.
func copyPlain(ctx context.Context, server *objectStore, keys []string, folder string) (total int64, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(restoreSubtasks)
	sizes := make([]int64, len(keys))
	for i, key := range keys {
		group.Go(func() error {
			body, _, err := server.bucket.Open(ctx, key, snapshot.Whole())
			if err != nil {
				return err
			}
			defer body.Close()
			name := filepath.Join(folder, fmt.Sprintf("copy-%d", i))
			f, err := os.Create(name)
			if err != nil {
				return err
			}
			sizes[i], err = io.Copy(f, body)
			return errors.Join(err, f.Close(), os.Remove(name))
		})
	}
	err = group.Wait()
	for _, n := range sizes {
		total += n
	}
	return total, err
}
