package contents

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// Problem is a reason why a checkpoint cannot be restored.
type Problem struct {
	URL    string `json:"url"`
	Reason string `json:"reason"`
}

// Verify looks at every object that the checkpoint needs, some side by side, and answers with those that are not there or
// have not the size that the handles need: none of them means restorable, as far as sizes tell. The error says that it could
// not be found out. Names of objects that are refused (package locate) are problems: nobody looked.
func (c *Checkpoint) Verify(ctx context.Context, parallel int) ([]Problem, error) {
	files, err := c.Meta.Files(c.Dir)
	if err != nil {
		return []Problem{{URL: c.File.String(), Reason: err.Error()}}, nil
	}
	found := make([]*Problem, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, parallel))
	var mu sync.Mutex
	var unsure error
	for i := range files {
		group.Go(func() error {
			p, err := c.look(ctx, &files[i])
			found[i] = p
			if err == nil || ctx.Err() != nil {
				return ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			if unsure == nil {
				unsure = err
			}
			return nil // the others are looked at all the same
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var problems []Problem
	for _, p := range found {
		if p != nil {
			problems = append(problems, *p)
		}
	}
	return problems, unsure
}

func (c *Checkpoint) look(ctx context.Context, f *metadata.File) (*Problem, error) {
	o, err := c.files.Object(ctx, f.Location)
	if errors.Is(err, locate.ErrRefused) {
		return &Problem{URL: f.Location.String(), Reason: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	object, err := o.Source.Stat(ctx, o.Key)
	switch {
	case errors.Is(err, snapshot.ErrNotFound), errors.Is(err, snapshot.ErrInvalid):
		return &Problem{URL: o.URL, Reason: "it does not exist"}, nil
	case err != nil:
		return nil, err
	}
	need := f.Size()
	switch {
	case need < 0, f.Rough:
	case object.Size < f.Offset()+need:
		return &Problem{URL: o.URL, Reason: fmt.Sprintf("it has %d bytes, and %d are needed", object.Size, f.Offset()+need)}, nil
	case f.Whole && object.Size > need:
		return &Problem{URL: o.URL, Reason: fmt.Sprintf("it has %d bytes, and had %d when Flink wrote it", object.Size, need)}, nil
	}
	return nil, nil
}
