package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
)

// lookups is how many decisions are looked up, each by a reader of its own, as the command does it.
const lookups = 50

// benchLookup looks decisions up in a log of many: how one came about, from what it read to what came out.
func benchLookup(ctx context.Context, r *Report, folder string, sizes stateSizes) error {
	config := decisions.DefaultConfig()
	config.Dir, config.MaxBytes = folder, math.MaxInt64
	written := time.Now()
	if err := writeDecisions(ctx, config, sizes.looked); err != nil {
		return err
	}
	say("state: %d decisions were written in %s", sizes.looked, time.Since(written).Round(time.Second))
	random := rand.New(rand.NewPCG(uint64(sizes.looked), 0)) //nolint:gosec // of a size
	var took []time.Duration
	for range lookups {
		i := random.Int64N(sizes.looked)
		start := time.Now()
		found, err := decisions.NewReader(folder).Lookup(ctx, lookedID(i))
		if err != nil {
			return err
		}
		took = append(took, time.Since(start))
		if len(found) != 1 || len(found[0].State) != 2 || len(found[0].Rules) != 1 || found[0].Version != uint64(i+1) { //nolint:gosec // not negative
			return fmt.Errorf("of %s %d decisions were found: %+v", lookedID(i), len(found), found)
		}
	}
	slices.Sort(took)
	r.less(Case{
		Case: fmt.Sprintf("lineage of one of %d decisions, the slowest of %d", sizes.looked, lookups), Against: "goal", Unit: "ms", Goal: 1,
		Ours: took[lookups-1].Seconds() * 1000, Theirs: 1000,
		Note: fmt.Sprintf("median %.1f ms; a log on disk as a sidecar writes it, sealed and compressed segments and one that is open, each time with a reader of its own", took[lookups/2].Seconds()*1000),
	})
	return nil
}

func lookedID(i int64) string { return fmt.Sprintf("order-%d", i) }

// writeDecisions makes a log.
func writeDecisions(ctx context.Context, config decisions.Config, n int64) (err error) {
	log, err := decisions.Open(config, "bench", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- log.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	for i := range n {
		key := fmt.Sprint("account-", i%stateKeys)
		if err := log.Append(ctx, &decisions.Decision{
			ID: lookedID(i), Job: "bench", Operator: "op", Subtask: int(i % 2), Epoch: uint64(i / 10_000), Function: "count", Build: "bench", //nolint:gosec // not negative
			Input:  fmt.Appendf(nil, `{"accountId":%d,"timestamp":%d,"amount":612.1}`, i%stateKeys, 1_764_000_000_000+i),
			Result: fmt.Appendf(nil, `{"score":0.%d,"decision":"pass","reasons":["large amount"]}`, i%1000),
			State:  []decisions.StateRead{{State: "profile", Key: key, Version: uint64(i)}, {State: "largest", Key: key, Version: uint64(i / 2)}},    //nolint:gosec // not negative
			Rules:  []string{"large"}, Session: "bench-1", Key: key, KeyGroup: int(i % stateGroups), Version: uint64(i + 1), Writes: 1, Watermark: i, //nolint:gosec // not negative
		}); err != nil {
			return err
		}
	}
	return awaitSealed(ctx, config.Dir)
}

// awaitSealed waits until the log has sealed what it has written, but for the segment that it writes: no job decides as fast as this.
func awaitSealed(ctx context.Context, folder string) error {
	for {
		open, err := filepath.Glob(filepath.Join(folder, "*.open"))
		if err != nil || len(open) <= 1 {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
