// Package contents opens a checkpoint: its _metadata, the files that it refers to, and the state in them. It brings the formats
// of package metadata together with the stores of package snapshot.
package contents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// MetadataName is the name of the file that makes a folder a checkpoint.
const MetadataName = "_metadata"

// Checkpoint is an open checkpoint. It is safe for concurrent use.
type Checkpoint struct {
	Meta *metadata.Metadata
	// File is where the _metadata is, Dir the folder that relative paths count from.
	File, Dir metadata.Location
	// Size is that of the _metadata, in bytes.
	Size int64

	files *locate.Locator
}

// Open reads the _metadata of a checkpoint: at is its folder, or the file itself, which may have any name. at is trusted: what
// lies around it may be read too (locate.Locator.Within). A checkpoint that is not there is snapshot.ErrNotFound.
func Open(ctx context.Context, l *locate.Locator, at metadata.Location) (*Checkpoint, error) {
	if strings.HasSuffix(at.Path, "/"+MetadataName) || isFile(at) {
		return open(ctx, l, at, at.Dir())
	}
	file, err := at.Resolve(MetadataName)
	if err != nil {
		return nil, err
	}
	c, err := open(ctx, l, file, at)
	if at.IsS3() && errors.Is(err, snapshot.ErrNotFound) && at.Path != "/" {
		if named, namedErr := open(ctx, l, at, at.Dir()); !errors.Is(namedErr, snapshot.ErrNotFound) {
			return named, namedErr
		}
	}
	return c, err
}

// isFile: of S3 nobody knows before it is asked.
func isFile(at metadata.Location) bool {
	if !at.IsLocal() {
		return false
	}
	info, err := os.Stat(at.Path)
	return err == nil && !info.IsDir()
}

func open(ctx context.Context, l *locate.Locator, file, dir metadata.Location) (*Checkpoint, error) {
	l = l.Within(dir)
	o, err := l.Object(ctx, file)
	if err != nil {
		return nil, err
	}
	body, found, err := o.Source.Open(ctx, o.Key, snapshot.Whole())
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // only read
	meta, err := metadata.Read(io.LimitReader(body, found.Size), 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &Checkpoint{Meta: meta, File: file, Dir: dir, Size: found.Size, files: l}, nil
}

// Describe sums the checkpoint up.
func (c *Checkpoint) Describe() (*metadata.Description, error) {
	return metadata.Describe(c.Meta, c.Dir)
}

// selection answers with the operators that are wanted, by uid, id or name; nothing stands for all, as nil.
func (c *Checkpoint) selection(wanted []string) (func(*metadata.Operator) bool, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	chosen := map[*metadata.Operator]bool{}
	for _, key := range wanted {
		operator, err := c.Operator(key)
		if err != nil {
			return nil, err
		}
		chosen[operator] = true
	}
	return func(o *metadata.Operator) bool { return chosen[o] }, nil
}

// ErrNoOperator: the checkpoint has no such operator.
var ErrNoOperator = errors.New("the checkpoint has no operator")

// Operator finds an operator by its uid, id or name, or says which there are.
func (c *Checkpoint) Operator(key string) (*metadata.Operator, error) {
	operator, ambiguous := c.Meta.FindOperator(key)
	if ambiguous {
		return nil, fmt.Errorf("several operators are called %q; give the id: %s", key, c.operators())
	}
	if operator == nil {
		return nil, fmt.Errorf("%w %q; it has %s", ErrNoOperator, key, c.operators())
	}
	return operator, nil
}

func (c *Checkpoint) operators() string {
	var names []string
	for i := range c.Meta.Operators {
		o := &c.Meta.Operators[i]
		switch {
		case o.UID != "":
			names = append(names, o.UID)
		case o.Name != "":
			names = append(names, o.ID.String()+" ("+o.Name+")")
		default:
			names = append(names, o.ID.String())
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
