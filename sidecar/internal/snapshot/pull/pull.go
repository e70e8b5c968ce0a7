package pull

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// Options says how to pull. The zero value of a field is its default.
type Options struct {
	// Parallel is how many requests run at the same time. 0 = 8.
	Parallel int
	// AllowMissing completes the copy though some objects are not there, or too short. Otherwise they are an error, told of when
	// all others have been fetched.
	AllowMissing bool

	block, segment int64 // smaller in tests
}

const (
	defaultParallel = 8
	defaultBlock    = 1 << 20
	piece           = 32 << 10 // what is read and written at once: it fits into the processor's own cache
	defaultSegment  = 32 << 20 // what is fetched by one request of a large object, of which several run side by side
)

func (o Options) withDefaults() Options {
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	if o.block == 0 {
		o.block, o.segment = defaultBlock, defaultSegment
	}
	return o
}

// Result is a complete copy.
type Result struct {
	Manifest Manifest
	// Downloaded is how many bytes were fetched by this call.
	Downloaded int64
}

// Pull makes a copy of the items in folder, which must not exist or be that copy already: then it is verified and nothing is
// fetched. An error leaves nothing under that name; what was fetched is kept beside it for the next call, or for Discard.
func Pull(ctx context.Context, folder string, items []Item, options Options) (_ Result, err error) {
	folder, err = filepath.Abs(folder)
	if err != nil {
		return Result{}, err
	}
	if err := checkItems(items); err != nil {
		return Result{}, failed(folder, "", err)
	}
	p := &pull{folder: folder, items: items, options: options.withDefaults()}
	if m, ok, err := p.complete(ctx); ok || err != nil {
		return Result{Manifest: m}, err
	}
	unlock, err := lock(folder)
	if err != nil {
		return Result{}, failed(folder, "", err)
	}
	defer func() { err = errors.Join(err, failed(folder, "", unlock(err == nil))) }()
	if m, ok, err := p.complete(ctx); ok || err != nil { // by another process, since
		return Result{Manifest: m}, err
	}
	m, err := p.make(ctx)
	return Result{Manifest: m, Downloaded: p.downloaded}, err
}

// Discard removes what a pull has left that did not succeed, and will not be called again.
func Discard(folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	unlock, err := lock(folder)
	if err != nil {
		return failed(folder, "", err)
	}
	return failed(folder, "", errors.Join(os.RemoveAll(folder+".part"), unlock(true)))
}

// failed describes an error of the local disk; others are left as they are. What is not found on the local disk is no object
// that is not found.
func failed(folder, name string, err error) error {
	var already *snapshot.Error
	if err == nil || errors.As(err, &already) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := snapshot.FileError("pull", "file:"+folder, name, err)
	if errors.Is(e.Kind, snapshot.ErrNotFound) {
		e.Kind, e.Hint = snapshot.ErrNoStore, "somebody has removed the folder; run this again"
	}
	return e
}

type pull struct {
	folder  string
	items   []Item
	options Options
	root    *os.Root // of folder.part
	journal *journal
	slots   chan []byte // each of them allows a request, and is its buffer

	unsynced unsynced

	mu         sync.Mutex
	downloaded int64
	missing    map[string]error // by name
}

// complete says whether the copy is there already.
func (p *pull) complete(ctx context.Context) (Manifest, bool, error) {
	m, err := Verify(ctx, p.folder)
	switch {
	case errors.Is(err, snapshot.ErrNotFound):
		return Manifest{}, false, nil
	case err != nil:
		return Manifest{}, false, err
	case !m.isOf(p.items):
		return Manifest{}, false, failed(p.folder, "", fmt.Errorf("%w: it is the copy of something else; use another folder", fs.ErrExist))
	}
	return m, true, nil
}

func (p *pull) make(ctx context.Context) (Manifest, error) {
	part := p.folder + ".part"
	if err := makeFolder(part); err != nil {
		return Manifest{}, failed(part, "", err)
	}
	m, err := p.fill(ctx, part)
	if err != nil {
		return Manifest{}, err
	}
	if err := os.Rename(part, p.folder); err != nil {
		return Manifest{}, failed(p.folder, "", err)
	}
	return m, failed(p.folder, "", syncFolder(filepath.Dir(p.folder)))
}

// fill completes the folder.part.
func (p *pull) fill(ctx context.Context, part string) (_ Manifest, err error) {
	if p.root, err = os.OpenRoot(part); err != nil {
		return Manifest{}, failed(part, "", err)
	}
	defer func() { err = errors.Join(err, p.root.Close()) }()
	// A manifest was written by a call that ended before its last step.
	if m, err := verify(ctx, p.root); err == nil && m.isOf(p.items) {
		return m, failed(part, "", p.tidy(false))
	}
	if err := p.root.Remove(manifestName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, failed(part, manifestName, err)
	}
	if err := p.tidy(true); err != nil {
		return Manifest{}, failed(part, "", err)
	}
	if err := p.checkSpace(part); err != nil {
		return Manifest{}, failed(part, "", err)
	}
	if p.journal, err = openJournal(p.root); err != nil {
		return Manifest{}, failed(part, journalName, err)
	}
	files, err := p.fetchAll(ctx)
	if err = errors.Join(err, p.journal.file.Close()); err != nil {
		return Manifest{}, failed(part, "", err)
	}
	m := Manifest{Version: manifestVersion, Files: files}
	for _, item := range p.items {
		if missing := p.missing[item.Name]; missing != nil {
			m.Missing = append(m.Missing, Missing{Name: item.Name, URL: item.URL, Reason: missing.Error()})
		}
	}
	if err := m.write(p.root); err != nil {
		return Manifest{}, failed(part, manifestName, err)
	}
	return m, failed(part, "", p.tidy(false))
}

// fetchAll fetches the files, several side by side. There may be twice as many as requests, so that those that are being finished
// hold no other up.
func (p *pull) fetchAll(ctx context.Context) ([]File, error) {
	p.slots = make(chan []byte, p.options.Parallel)
	for range p.options.Parallel {
		p.slots <- make([]byte, piece)
	}
	p.missing = map[string]error{}
	files := make([]File, len(p.items))
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(2 * p.options.Parallel)
	for i := range p.items {
		if running.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			files[i], err = p.fetch(running, &p.items[i])
			return err
		})
	}
	if err := errors.Join(group.Wait(), p.unsynced.sync()); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := p.missingError(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(files, func(f File) bool { return f.Name == "" }), nil
}

func (p *pull) missingError() error {
	if p.options.AllowMissing || len(p.missing) == 0 {
		return nil
	}
	var errs []error
	for _, item := range p.items {
		if err := p.missing[item.Name]; err != nil && len(errs) < 10 {
			errs = append(errs, err)
		}
	}
	return fmt.Errorf("%d of %d objects are missing, which makes the checkpoint of no use; take another one: %w",
		len(p.missing), len(p.items), errors.Join(errs...))
}

// fetch fetches one file. Bytes that have not the store's checksum may have been damaged on the way: they are fetched again,
// once.
func (p *pull) fetch(ctx context.Context, item *Item) (File, error) {
	var f File
	var err error
	for range 2 {
		if f, err = p.fetchOnce(ctx, item); !errors.Is(err, snapshot.ErrCorrupt) {
			break
		}
	}
	if isMissing(err) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.missing[item.Name] = err
		return File{}, nil
	}
	return f, err
}

// tidy removes what is no part of a copy: files of an earlier list of items, and at the end the journal.
func (p *pull) tidy(journal bool) error {
	keep := map[string]bool{".": true, manifestName: true, journalName: journal}
	for _, item := range p.items {
		if p.missing[item.Name] == nil {
			for name := item.Name; name != "."; name = filepath.ToSlash(filepath.Dir(name)) {
				keep[name] = true
			}
		}
	}
	var folders []string
	err := fs.WalkDir(p.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case keep[name] && entry.IsDir():
			folders = append(folders, name)
			return nil
		case keep[name]:
			return nil
		}
		if err := p.root.RemoveAll(name); err != nil {
			return err
		}
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	for _, name := range folders {
		f, openErr := p.root.Open(name)
		if openErr != nil {
			return openErr
		}
		err = errors.Join(err, f.Sync(), f.Close())
	}
	return err
}

// checkSpace says early that the disk will not do, if that is plain already.
func (p *pull) checkSpace(part string) error {
	free, ok := freeSpace(part)
	if !ok {
		return nil
	}
	var need int64
	for i := range p.items {
		item := &p.items[i]
		for _, r := range item.ranges(max(item.Size, 0)) {
			need += r.Size
		}
		need -= min(need, p.allocated(item.Name))
	}
	if need > free {
		return fmt.Errorf("%w: %d bytes are missing yet, and %d are free", snapshot.ErrFull, need, free)
	}
	return nil
}

func makeFolder(part string) error {
	if err := os.MkdirAll(filepath.Dir(part), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(part, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Lstat(part); err != nil || !info.IsDir() {
		return errors.Join(err, fmt.Errorf("%w: %s is not a folder", fs.ErrExist, part))
	}
	return nil
}

func syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
