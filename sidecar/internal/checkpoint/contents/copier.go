package contents

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/pull"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// elsewhere is the folder in a copy for what does not lie beside _metadata: objects/s3/BUCKET/KEY and objects/file/PATH.
const elsewhere = "objects"

// manifestName is that of package pull.
const manifestName = "manifest.json"

// Items says what to pull for a copy: the _metadata, and what it needs of the files that these operators refer to; no
// operators stand for all. What lies beside _metadata keeps its name, so that the copy can be read as it is; see CopiedBuckets
// for the rest.
func (c *Checkpoint) Items(ctx context.Context, operators []string) ([]pull.Item, error) {
	wanted, err := c.selection(operators)
	if err != nil {
		return nil, err
	}
	files, err := c.Meta.FilesOf(c.Dir, wanted)
	if err != nil {
		return nil, err
	}
	items := make([]pull.Item, 0, len(files)+1)
	first, err := c.item(ctx, c.File)
	if err != nil {
		return nil, err
	}
	first.Name, first.Size = MetadataName, c.Size
	items = append(items, first)
	for i := range files {
		item, err := c.item(ctx, files[i].Location)
		if err != nil {
			return nil, err
		}
		switch {
		case files[i].Rough: // the whole object, whatever its size
		case files[i].Whole:
			item.Size = files[i].Size()
		default:
			for _, r := range files[i].Ranges {
				if r.Size > 0 {
					item.Ranges = append(item.Ranges, pull.Range{Offset: r.Offset, Size: r.Size})
				}
			}
			if len(item.Ranges) == 0 {
				continue // empty segments need nothing
			}
		}
		items = append(items, item)
	}
	return items, nil
}

func (c *Checkpoint) item(ctx context.Context, at metadata.Location) (pull.Item, error) {
	o, err := c.files.Object(ctx, at)
	if err != nil {
		return pull.Item{}, err
	}
	return pull.Item{Name: c.localName(at), Source: o.Source, Key: o.Key, URL: o.URL, Size: -1}, nil
}

func (c *Checkpoint) localName(at metadata.Location) string {
	if at.Authority == c.Dir.Authority && at.IsS3() == c.Dir.IsS3() {
		if beside, ok := strings.CutPrefix(at.Path, strings.TrimSuffix(c.Dir.Path, "/")+"/"); ok {
			return beside
		}
	}
	if at.IsS3() {
		return path.Join(elsewhere, "s3", at.Authority, at.Path)
	}
	return path.Join(elsewhere, "file", at.Path)
}

// Copier makes local copies for the watcher.
type Copier struct {
	files     *locate.Locator
	operators []string
	parallel  int
}

// NewCopier returns a copier of what these operators refer to, by uid, id or name; none stand for all. An operator that a
// checkpoint does not have is an error of that copy. parallel is the number of requests at the same time.
func NewCopier(l *locate.Locator, operators []string, parallel int) *Copier {
	return &Copier{files: l, operators: operators, parallel: parallel}
}

// Copy implements checkpoint.Copier.
func (c *Copier) Copy(ctx context.Context, key checkpoint.Key, folder string) (checkpoint.Copy, error) {
	at, err := metadata.ParseLocation(key.Path)
	if err != nil {
		return checkpoint.Copy{}, err
	}
	opened, err := Open(ctx, c.files, at)
	if errors.Is(err, snapshot.ErrNotFound) {
		return checkpoint.Copy{}, fmt.Errorf("%w: %w", checkpoint.ErrGone, err)
	}
	if err != nil {
		return checkpoint.Copy{}, err
	}
	if opened.Meta.CheckpointID != key.ID {
		return checkpoint.Copy{}, fmt.Errorf("%s is checkpoint %d, and not %d: another job writes into the same folder", opened.File, opened.Meta.CheckpointID, key.ID)
	}
	items, err := opened.Items(ctx, c.operators)
	if err != nil {
		return checkpoint.Copy{}, err
	}
	result, err := pull.Pull(ctx, folder, items, pull.Options{Parallel: c.parallel, AllowMissing: true})
	if err != nil {
		return checkpoint.Copy{}, err
	}
	copied := checkpoint.Copy{Operators: len(opened.Meta.Operators), Files: len(result.Manifest.Files), Bytes: result.Manifest.Bytes()}
	for _, m := range result.Manifest.Missing {
		copied.Missing = append(copied.Missing, m.URL)
	}
	if len(copied.Missing) == 0 {
		return copied, nil
	}
	return c.judge(ctx, at, folder, copied)
}

// judge tells a checkpoint that lacks objects from one that Flink deleted while it was copied. Flink deletes the _metadata
// first (CompletedCheckpoint.CompletedCheckpointDiscardObject): as long as it is there, what is missing should not be.
func (c *Copier) judge(ctx context.Context, at metadata.Location, folder string, copied checkpoint.Copy) (checkpoint.Copy, error) {
	_, err := Open(ctx, c.files, at)
	if errors.Is(err, snapshot.ErrNotFound) {
		return checkpoint.Copy{}, errors.Join(fmt.Errorf("%w: %w", checkpoint.ErrGone, err), os.RemoveAll(folder))
	}
	return copied, err
}

// CopiedBuckets answers, of a folder that Items were pulled into, with the buckets in it and the folders that they lie in, for
// locate.Locator.WithMap. A folder that is no copy has none.
func CopiedBuckets(folder string) map[string]string {
	if _, err := os.Stat(path.Join(folder, manifestName)); err != nil {
		return nil
	}
	buckets := map[string]string{}
	local := path.Join(folder, elsewhere, "file")
	if info, err := os.Stat(local); err == nil && info.IsDir() {
		buckets[""] = local
	}
	base := path.Join(folder, elsewhere, "s3")
	entries, err := os.ReadDir(base)
	if err != nil {
		return buckets
	}
	for _, entry := range entries {
		buckets[entry.Name()] = path.Join(base, entry.Name())
	}
	return buckets
}

// CheckCopy compares a folder that Items were pulled into with its manifest, byte by byte. What is no copy is not looked at.
func CheckCopy(ctx context.Context, folder string) error {
	if _, err := os.Stat(path.Join(folder, manifestName)); err != nil {
		return nil
	}
	_, err := pull.Verify(ctx, folder)
	return err
}
