package pull

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// Manifest describes a copy. It is the file manifest.json of its folder, written when all else is on the disk.
type Manifest struct {
	Version int       `json:"version"`
	Files   []File    `json:"files"`
	Missing []Missing `json:"missing,omitempty"`
}

const manifestVersion = 2

// rangeSum is how ranges are summed up: it finds damage and is some thirty times as fast as SHA-256. Who may write into the
// folder may write the manifest too, so that no hash beside the data would find more than damage.
const rangeSum = snapshot.CRC64NVME

// File is one file of a copy. It is as long as the end of its last range; what lies between ranges is a hole.
type File struct {
	Name   string        `json:"name"`
	URL    string        `json:"url"`
	ETag   string        `json:"etag"`
	Size   int64         `json:"size"` // of the object
	Ranges []HashedRange `json:"ranges,omitempty"`
}

// HashedRange is a range with the checksum of its bytes, in hex.
type HashedRange struct {
	Offset    int64  `json:"offset"`
	Size      int64  `json:"size"`
	CRC64NVME string `json:"crc64nvme"`
}

// Missing is an object that could not be copied since it is not there, or too short.
type Missing struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Reason string `json:"reason"`
}

// Bytes is how many bytes the copy has.
func (m Manifest) Bytes() int64 {
	var n int64
	for _, f := range m.Files {
		for _, r := range f.Ranges {
			n += r.Size
		}
	}
	return n
}

// maxManifest is far above that of any copy, and far below what would hurt.
const maxManifest = 1 << 30

// readManifest reads a manifest, and refuses one that no pull has written.
func readManifest(r io.Reader) (Manifest, error) {
	var m Manifest
	err := json.UnmarshalRead(io.LimitReader(r, maxManifest), &m, jsontext.AllowDuplicateNames(false), json.RejectUnknownMembers(true))
	if err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", snapshot.ErrCorrupt, err)
	}
	if m.Version != manifestVersion {
		return Manifest{}, fmt.Errorf("%w: version %d of the manifest is unknown to this build", snapshot.ErrInvalid, m.Version)
	}
	names := make([]string, len(m.Files))
	total := int64(0)
	for i, f := range m.Files {
		names[i] = f.Name
		for _, r := range f.Ranges {
			if total += r.Size; total < 0 {
				return Manifest{}, fmt.Errorf("%w: more bytes than there can be", snapshot.ErrInvalid)
			}
		}
		if err := checkRanges(f.plainRanges(), f.Size); err != nil {
			return Manifest{}, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return m, checkNames(names)
}

func (f *File) plainRanges() []Range {
	ranges := make([]Range, len(f.Ranges))
	for i, r := range f.Ranges {
		ranges[i] = Range{Offset: r.Offset, Size: r.Size}
	}
	return ranges
}

func (m Manifest) write(root *os.Root) error {
	f, err := root.OpenFile(manifestName, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = json.MarshalWrite(f, m, jsontext.WithIndent(" "))
	return errors.Join(err, f.Sync(), f.Close())
}

// isOf: the copy is one of these items, and not of more.
func (m Manifest) isOf(items []Item) bool {
	if len(m.Files)+len(m.Missing) != len(items) {
		return false
	}
	files := make(map[string]*File, len(m.Files))
	for i := range m.Files {
		files[m.Files[i].Name] = &m.Files[i]
	}
	missing := make(map[string]string, len(m.Missing))
	for _, x := range m.Missing {
		missing[x.Name] = x.URL
	}
	for i := range items {
		item := &items[i]
		if url, ok := missing[item.Name]; ok && url == item.URL {
			continue
		}
		f := files[item.Name]
		if f == nil || f.URL != item.URL || item.Size >= 0 && f.Size != item.Size || !slices.Equal(f.plainRanges(), item.ranges(f.Size)) {
			return false
		}
	}
	return true
}

// Verify compares a copy with its manifest: every byte of it. A folder that is not there is snapshot.ErrNotFound.
func Verify(ctx context.Context, folder string) (Manifest, error) {
	root, err := os.OpenRoot(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, &snapshot.Error{Op: "verify", Where: "file:" + folder, Kind: snapshot.ErrNotFound}
	}
	if err != nil {
		return Manifest{}, failed(folder, "", err)
	}
	m, err := verify(ctx, root)
	if err = errors.Join(err, root.Close()); err == nil {
		return m, nil
	}
	var e *snapshot.Error
	if err = failed(folder, "", err); errors.As(err, &e) {
		e.Op = "verify"
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, snapshot.ErrCorrupt) || errors.Is(err, snapshot.ErrInvalid) {
			e.Kind, e.Hint = snapshot.ErrCorrupt, "the copy is damaged; remove the folder and pull again"
		}
	}
	return Manifest{}, err
}

func verify(ctx context.Context, root *os.Root) (Manifest, error) {
	f, err := root.Open(manifestName)
	if err != nil {
		return Manifest{}, err
	}
	m, err := readManifest(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", manifestName, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range m.Files {
		group.Go(func() error {
			if err := m.Files[i].verify(ctx, root); err != nil {
				return fmt.Errorf("%s: %w", m.Files[i].Name, err)
			}
			return nil
		})
	}
	return m, group.Wait()
}

func (f *File) verify(ctx context.Context, root *os.Root) error {
	info, err := root.Lstat(f.Name)
	if err != nil {
		return err
	}
	want := int64(0)
	if n := len(f.Ranges); n > 0 {
		want = f.Ranges[n-1].Offset + f.Ranges[n-1].Size
	}
	if !info.Mode().IsRegular() || info.Size() != want {
		return fmt.Errorf("%w: it is %s of %d bytes, want a plain file of %d", snapshot.ErrCorrupt, kindOf(info), info.Size(), want)
	}
	data, err := root.Open(f.Name)
	if err != nil {
		return err
	}
	defer data.Close() //nolint:errcheck // only read
	for _, r := range f.Ranges {
		h := rangeSum.New()
		if _, err := copyContext(ctx, h, io.NewSectionReader(data, r.Offset, r.Size)); err != nil {
			return err
		}
		if hex.EncodeToString(h.Sum(nil)) != r.CRC64NVME {
			return fmt.Errorf("%w: other bytes at offset %d, in %d bytes", snapshot.ErrCorrupt, r.Offset, r.Size)
		}
	}
	return nil
}

func kindOf(info fs.FileInfo) string {
	if info.Mode().IsRegular() {
		return "a plain file"
	}
	return "no plain file (" + info.Mode().Type().String() + ")"
}
