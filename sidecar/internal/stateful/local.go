package stateful

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// localGroups is into how many parts the state of a function is cut that has no key groups of Flink: enough for its calls not
// to wait for each other.
const localGroups = 128

// local is the state of callers without a session, in memory, for each function its own.
type local struct {
	limits statestore.Limits

	mu    sync.Mutex
	parts map[string]*statestore.Partitions
}

func newLocal(limits statestore.Limits) *local {
	return &local{limits: limits, parts: map[string]*statestore.Partitions{}}
}

// of is the state of a function; there are as many as functions.
func (l *local) of(function string) *statestore.Partitions {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.parts[function]
	if p == nil {
		p = statestore.New(statestore.Range{To: localGroups - 1}, l.limits, statestore.Hooks{})
		l.parts[function] = p
	}
	return p
}

func (l *local) sweep(most int) (removed int) {
	l.mu.Lock()
	parts := slices.Collect(maps.Values(l.parts))
	l.mu.Unlock()
	for _, p := range parts {
		removed += p.Sweep(most)
	}
	return removed
}

// optimistic is how many conflicts a call has before it waits for its turn.
const optimistic = 2

func (l *local) apply(ctx context.Context, c *evaluate.StateCall) (evaluate.Applied, error) {
	p := l.of(c.Name)
	p.Advance(c.At.Watermark)
	keyGroup := statestore.KeyGroup(statestore.HashString(c.At.Key), localGroups)
	for conflicts := 0; ; conflicts++ {
		applied, err := attempt(ctx, p, keyGroup, c, conflicts > optimistic)
		if !errors.Is(err, statestore.ErrConflict) {
			return applied, err
		}
	}
}

func attempt(ctx context.Context, p *statestore.Partitions, keyGroup uint16, c *evaluate.StateCall, turn bool) (evaluate.Applied, error) {
	if turn || p.Contended(keyGroup) {
		end, err := p.Turn(ctx, keyGroup)
		if err != nil {
			return evaluate.Applied{}, err
		}
		defer end()
	}
	var tx statestore.Tx
	if err := p.Begin(keyGroup, &tx); err != nil {
		return evaluate.Applied{}, err
	}
	result, scope, err := call(ctx, &tx, c, statescope.AtLeastOnce, p.Watermark())
	if err != nil {
		return evaluate.Applied{}, err
	}
	// Without an id nothing is remembered here: answers to repeated ids are kept as those of functions without state are.
	if _, _, err := tx.Commit(statestore.Request{KeyGroup: keyGroup}, nil, nil); err != nil {
		return evaluate.Applied{}, err
	}
	reads, unnamed, version := seen(scope)
	return evaluate.Applied{Result: result, Time: time.Now(), Version: version, Reads: reads, Unnamed: unnamed, Guarantee: string(statescope.AtLeastOnce)}, nil
}

// adopt gives the calls of a function without a session a state, in the place of what they have. Its keys are sorted anew: by the text of
// the key alone, since such calls name no key group of Flink's.
func (l *local) adopt(function string, from *statestore.Partitions) (keys int64, err error) {
	type kept struct {
		key   string
		value statestore.Value
	}
	groups := make([][]kept, localGroups)
	all := from.KeyGroups()
	for g := int(all.From); g <= int(all.To); g++ {
		for key, value := range from.All(uint16(g)) {
			text, err := statescope.KeyOf(key)
			if err != nil {
				return 0, err
			}
			to := statestore.KeyGroup(statestore.HashString(text), localGroups)
			groups[to] = append(groups[to], kept{key, value})
			keys++
		}
	}
	parts := statestore.New(statestore.Range{To: localGroups - 1}, l.limits, statestore.Hooks{})
	for g, entries := range groups {
		loader, err := parts.Load(uint16(g), len(entries))
		if err != nil {
			return 0, err
		}
		var last uint64
		for _, e := range entries {
			loader.Put(e.key, e.value)
			last = max(last, e.value.Version)
		}
		loader.Version(last)
	}
	parts.Advance(from.Watermark())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts[function] = parts
	return keys, nil
}
