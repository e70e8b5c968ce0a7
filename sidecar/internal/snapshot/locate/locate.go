// Package locate finds the store and the key of a file that a checkpoint names, and refuses what nobody has allowed.
//
// The paths in a checkpoint are data from outside: whoever can write a _metadata file would otherwise choose which objects
// and which files of this machine are read. So a file is read only if
//
//   - its bucket is mapped to a folder (Config.Map), by the one who runs drey,
//   - or it lies below one of the prefixes of Config.Allow,
//   - or, where Config.Allow is empty, it lies around the checkpoint itself: in the same bucket, or for local files in the
//     same folder of checkpoints. See Locator.Within.
//
// Other hosts are never asked: an S3 location names a bucket, and the endpoint is the configured one.
package locate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/dir"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/pull"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// ErrRefused: nobody has allowed to read there.
var ErrRefused = errors.New("not allowed to be read")

// Config says where checkpoints lie and what of it may be read.
type Config struct {
	S3    s3.Config `yaml:"s3" doc:"how the S3 server of the checkpoints is reached"`
	Allow []string  `yaml:"allow" doc:"what checkpoints may refer to, as s3://bucket/prefix or /folder; empty = their own bucket, or their own folder"`
	Map   []string  `yaml:"map" doc:"buckets that are read from a local folder, as s3://bucket=/folder"`
}

// Validate names what cannot work.
func (c Config) Validate() error {
	if _, err := parseAllow(c.Allow); err != nil {
		return err
	}
	_, err := parseMap(c.Map)
	return err
}

// Locator finds files. It is safe for concurrent use. Close frees what it has opened, also through those that Within made of
// it.
type Locator struct {
	allow  []metadata.Location
	around []metadata.Location
	mapped map[string]string // bucket -> folder
	stores *stores
}

// Object is where a file is.
type Object struct {
	Source pull.Source
	Key    string
	URL    string // for people and for manifests
}

// New returns a locator. Nothing is opened or sent yet.
func New(c Config) (*Locator, error) {
	allow, err := parseAllow(c.Allow)
	if err != nil {
		return nil, err
	}
	mapped, err := parseMap(c.Map)
	if err != nil {
		return nil, err
	}
	return &Locator{allow: allow, mapped: mapped, stores: &stores{config: c.S3, folders: map[string]*dir.Store{}, buckets: map[string]*s3.Store{}}}, nil
}

func parseAllow(prefixes []string) ([]metadata.Location, error) {
	var allow []metadata.Location
	for _, text := range prefixes {
		at, err := parsePrefix(text)
		if err == nil && !at.IsS3() && !at.IsLocal() {
			err = errors.New("neither S3 nor a local folder")
		}
		if err != nil {
			return nil, fmt.Errorf("allow %q: %w; write s3://bucket/prefix or /folder", text, err)
		}
		allow = append(allow, at)
	}
	return allow, nil
}

// parsePrefix reads a location that may be a whole bucket, or end with a slash.
func parsePrefix(text string) (metadata.Location, error) {
	at, err := metadata.ParseLocation(strings.TrimRight(text, "/") + "/x")
	if err != nil {
		return at, err
	}
	return at.Dir(), nil
}

func parseMap(entries []string) (map[string]string, error) {
	mapped := map[string]string{}
	for _, text := range entries {
		bucket, folder, ok := strings.Cut(text, "=")
		at, err := parsePrefix(bucket)
		if !ok || folder == "" || err != nil || !at.IsS3() || at.Path != "/" {
			return nil, fmt.Errorf("map %q: write s3://bucket=/folder", text)
		}
		absolute, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		mapped[at.Authority] = absolute
	}
	return mapped, nil
}

// WithMap returns a locator that reads buckets from local folders besides: bucket -> folder. "" stands for the local files that
// are not allowed otherwise, by their absolute path.
func (l *Locator) WithMap(folders map[string]string) *Locator {
	more := *l
	more.mapped = map[string]string{}
	for bucket, folder := range l.mapped {
		more.mapped[bucket] = folder
	}
	for bucket, folder := range folders {
		if _, known := more.mapped[bucket]; !known {
			more.mapped[bucket] = folder
		}
	}
	return &more
}

// Within returns a locator that may read what lies around a checkpoint too, unless Config.Allow says what may be read. folder
// is that of its _metadata, and comes from somebody who is trusted: a person, or Flink.
func (l *Locator) Within(folder metadata.Location) *Locator {
	if len(l.allow) > 0 {
		return l
	}
	more := *l
	more.around = append(append([]metadata.Location(nil), l.around...), around(folder))
	return &more
}

var (
	checkpointFolder = regexp.MustCompile(`^chk-[0-9]+$`)
	jobFolder        = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// around is the bucket of a checkpoint on S3. Of a local one it is Flink's folder of checkpoints (execution.checkpointing.dir),
// in which there is one for each job: a job that took over another one's checkpoint goes on referring to its files.
func around(folder metadata.Location) metadata.Location {
	if folder.IsS3() {
		folder.Path = "/"
		return folder
	}
	if job := folder.Dir(); checkpointFolder.MatchString(path.Base(folder.Path)) && jobFolder.MatchString(path.Base(job.Path)) {
		return job.Dir()
	}
	return folder
}

// Object finds a file, or says why it is refused. That does not mean that it is there.
func (l *Locator) Object(ctx context.Context, at metadata.Location) (Object, error) {
	o := Object{URL: at.String()}
	switch {
	case at.IsS3():
		return l.inBucket(ctx, at, o)
	case at.IsLocal():
		return l.inFolder(at, o)
	}
	return o, refuse(at, fmt.Errorf("%w: drey reads s3, s3a, s3p and local files, not %s", ErrRefused, at.Scheme))
}

// lister is a store whose objects can be listed: see package snapshot.
type lister interface {
	List(ctx context.Context, prefix string) iter.Seq2[snapshot.Object, error]
}

// List goes through the files below a folder, by the same rules. A folder that is not there has none.
func (l *Locator) List(ctx context.Context, folder metadata.Location) iter.Seq2[metadata.Location, error] {
	return func(yield func(metadata.Location, error) bool) {
		below := folder
		below.Path = strings.TrimSuffix(folder.Path, "/") + "/"
		o, err := l.Object(ctx, below)
		if err != nil {
			yield(folder, err)
			return
		}
		store, ok := o.Source.(lister)
		if !ok {
			yield(folder, refuse(folder, errors.ErrUnsupported))
			return
		}
		for found, err := range store.List(ctx, o.Key) {
			at := below
			at.Path += strings.TrimPrefix(found.Key, o.Key)
			if !yield(at, err) || err != nil {
				return
			}
		}
	}
}

func (l *Locator) inBucket(ctx context.Context, at metadata.Location, o Object) (Object, error) {
	o.Key = strings.TrimPrefix(at.Path, "/")
	if folder, ok := l.mapped[at.Authority]; ok {
		store, err := l.stores.folder(folder)
		o.Source = store
		return o, err
	}
	if _, ok := l.allowed(at); !ok {
		return o, refuse(at, l.why())
	}
	store, err := l.stores.bucket(ctx, at.Authority)
	o.Source = store
	return o, err
}

func (l *Locator) inFolder(at metadata.Location, o Object) (Object, error) {
	root, ok := l.allowed(at)
	if folder, copied := l.mapped[""]; !ok && copied {
		store, err := l.stores.folder(folder)
		o.Source, o.Key = store, strings.TrimPrefix(at.Path, "/")
		return o, err
	}
	if !ok {
		return o, refuse(at, l.why())
	}
	store, err := l.stores.folder(root.Path)
	if err != nil {
		return o, err
	}
	o.Source, o.Key = store, strings.TrimPrefix(strings.TrimPrefix(at.Path, root.Path), "/")
	return o, nil
}

// allowed answers with the prefix that allows a file.
func (l *Locator) allowed(at metadata.Location) (metadata.Location, bool) {
	for _, roots := range [][]metadata.Location{l.allow, l.around} {
		for _, root := range roots {
			alike := at.IsS3() && root.IsS3() && at.Authority == root.Authority || at.IsLocal() && root.IsLocal()
			if alike && below(at.Path, root.Path) {
				return root, true
			}
		}
	}
	return metadata.Location{}, false
}

func below(name, folder string) bool {
	return folder == "/" || strings.HasPrefix(name, folder+"/")
}

func (l *Locator) why() error {
	var roots []string
	for _, root := range append(append([]metadata.Location(nil), l.allow...), l.around...) {
		roots = append(roots, root.String())
	}
	if len(roots) == 0 {
		return fmt.Errorf("%w: allow its prefix, or map its bucket to a local folder", ErrRefused)
	}
	return fmt.Errorf("%w: it is not below %s; allow its prefix too, or map its bucket to a local folder", ErrRefused, strings.Join(roots, ", "))
}

func refuse(at metadata.Location, err error) error {
	return &snapshot.Error{Op: "open", Where: at.String(), Kind: snapshot.ErrDenied, Err: err}
}

// Close frees folders and connections.
func (l *Locator) Close() error { return l.stores.close() }

// stores are those that are open, one for each folder and each bucket.
type stores struct {
	config s3.Config

	mu      sync.Mutex
	client  *s3.Client
	folders map[string]*dir.Store
	buckets map[string]*s3.Store
}

func (s *stores) folder(name string) (*dir.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if store, ok := s.folders[name]; ok {
		return store, nil
	}
	store, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	s.folders[name] = store
	return store, nil
}

func (s *stores) bucket(ctx context.Context, name string) (*s3.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if store, ok := s.buckets[name]; ok {
		return store, nil
	}
	if s.client == nil {
		// The client outlives the call that needs it first.
		client, err := s3.New(context.WithoutCancel(ctx), s.config)
		if err != nil {
			return nil, err
		}
		s.client = client
	}
	store, err := s.client.Bucket(name)
	if err != nil {
		return nil, err
	}
	s.buckets[name] = store
	return store, nil
}

func (s *stores) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, store := range s.folders {
		errs = append(errs, store.Close())
	}
	s.folders, s.buckets, s.client = map[string]*dir.Store{}, map[string]*s3.Store{}, nil
	return errors.Join(errs...)
}
