package decisions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// Log is a decision log that is open for writing; one process at a time has it. It is safe for concurrent use. Readers need
// no Log: NewReader reads the folder, in any process.
type Log struct {
	cfg     Config
	enc     encoder
	log     *slog.Logger
	lock    *flock.Flock
	q       *queue
	w       *writer
	keep    *keeper
	scratch sync.Pool // *[]byte

	mu     sync.Mutex
	status Status
}

// Status is how a log is doing.
type Status struct {
	Dir         string            `json:"dir"`
	Head        string            `json:"head"`          // the chain's, as Verify takes it; noted elsewhere, it shows that the end was not cut
	Written     uint64            `json:"written"`       // records of this process, notes too
	Lost        map[string]uint64 `json:"lost"`          // decisions of this process that were not written, by why
	QueuedBytes int               `json:"queued_bytes"`  // waiting
	Queued      int               `json:"queued"`        //
	Segments    int               `json:"segments"`      // as of the keeper's last round
	Bytes       int64             `json:"segment_bytes"` // of these
	Error       string            `json:"error,omitempty"`
	ErrorSince  time.Time         `json:"error_since,omitzero"` // nothing was written since
	KeeperError string            `json:"keeper_error,omitempty"`
}

// Open opens the log, or makes it. build is the program's, for the note that says who wrote. Decisions can be appended at
// once; they are written while Run runs.
func Open(cfg Config, build string, log *slog.Logger) (*Log, error) {
	return open(cfg, build, log, createFile)
}

func open(cfg Config, build string, log *slog.Logger, create func(string) (file, error)) (_ *Log, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("decision log: %w", err)
	}
	codec, err := segment.ParseCodec(cfg.Compression)
	if err != nil {
		return nil, err
	}
	unusable := func(err error) error { return fmt.Errorf("decision log %s: %w; %s", cfg.Dir, cause(err), hint(err)) }
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, unusable(err)
	}
	lock := flock.New(filepath.Join(cfg.Dir, lockName), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, unusable(err)
	}
	if !held {
		return nil, fmt.Errorf("decision log %s: another drey writes it; give each its own folder (decisions.dir)", cfg.Dir)
	}
	l := &Log{
		cfg: cfg, enc: encoder{masks: newMasks(cfg.Mask), maxValue: cfg.MaxValueBytes}, log: log, lock: lock,
		q: newQueue(cfg.Policy, cfg.QueueBytes),
	}
	l.scratch.New = func() any { return new([]byte) }
	l.keep = newKeeper(l, codec)
	l.w = &writer{cfg: cfg, create: create, now: time.Now, rotated: l.keep.kick, unsynced: l.unsynced}
	notes, err := l.w.resume()
	if err != nil {
		return nil, errors.Join(unusable(err), lock.Unlock())
	}
	now := time.Now()
	for _, note := range append(notes, Note{Kind: NoteStarted, Build: build}) {
		note.Time = now
		if note.Kind == NoteCut {
			log.Warn("decision log: unfinished bytes at its end were cut", "dir", cfg.Dir, "bytes", note.Bytes, "reason", note.Reason)
		}
		l.q.note(note)
	}
	l.status = Status{Dir: cfg.Dir, Head: l.w.chain.Head().String()}
	return l, nil
}

// Append takes a decision; it is written soon. It costs one encoding and one copy. Under the policy Block it may wait until ctx
// ends, which is the error then; under the others what is lost is counted, and no error. After Run has ended it is ErrClosed.
func (l *Log) Append(ctx context.Context, d *Decision) error {
	buf := l.scratch.Get().(*[]byte)
	b := l.enc.append(segment.BeginRecord((*buf)[:0]), d)
	b = segment.FinishRecord(b, 0)
	var hash uint64
	if l.cfg.Policy == Sample {
		hash = segment.Hash(d.ID)
	}
	err := l.q.add(ctx, b, hash)
	if cap(b) <= 1<<20 { // one large event must not keep its memory for ever
		*buf = b
		l.scratch.Put(buf)
	}
	return err
}

// Flush returns when everything that was appended before is durable, so that not even a power cut loses it.
func (l *Log) Flush(ctx context.Context) error {
	select {
	case err := <-l.q.sync():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status says how the log is doing.
func (l *Log) Status() Status {
	l.mu.Lock()
	s := l.status
	l.mu.Unlock()
	l.q.mu.Lock()
	s.Lost = maps.Clone(l.q.total)
	s.QueuedBytes, s.Queued = len(l.q.buf)-l.q.head, l.q.count
	l.q.mu.Unlock()
	return s
}

// How long to wait after a write that came to nothing, and how long to go on trying when the log is to end.
const (
	firstPause = 50 * time.Millisecond
	longPause  = time.Second
	lastTries  = 3 * time.Second
)

// Run writes until ctx ends, then what was appended until then, and gives the folder back. The error says what could not be
// written. It is to be called once.
func (l *Log) Run(ctx context.Context) error {
	keeping, stop := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		l.keep.run(keeping)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last time.Time
	var err error
	for ctx.Err() == nil {
		timer.Reset(l.untilDue())
		select {
		case <-l.q.wake:
			l.gather(ctx, last, timer)
		case <-timer.C:
		case <-ctx.Done():
		}
		last = time.Now()
		err = l.commit(ctx)
	}
	stop()
	<-kept
	return errors.Join(err, l.end())
}

// untilDue is how long nothing has to be done if nothing comes.
func (l *Log) untilDue() time.Duration {
	wait := time.Hour
	now := time.Now()
	if t, any := l.w.syncDue(); any {
		wait = min(wait, t.Sub(now))
	}
	if t, any := l.w.due(); any {
		wait = min(wait, t.Sub(now))
	}
	return max(wait, firstPause) // a disk that refuses must not make a busy loop
}

// gather waits for more decisions, until CommitEvery after the last commit: the first decision after a pause is written at
// once, many are written together.
func (l *Log) gather(ctx context.Context, last time.Time, timer *time.Timer) {
	wait := l.cfg.CommitEvery - time.Since(last)
	if wait <= 0 {
		return
	}
	timer.Reset(wait)
	select {
	case <-timer.C:
	case <-l.q.urgent:
	case <-ctx.Done():
	}
}

// commit writes what is in the queue, however long that takes, until ctx ends and lastTries after that. The error is of what
// was given up.
func (l *Log) commit(ctx context.Context) error {
	select {
	case <-l.q.urgent: // it is about what is taken now
	default:
	}
	b, any := l.q.take()
	if !any {
		l.tidy()
		return nil
	}
	if err := l.persist(ctx, &b); err != nil {
		tell(b.flush, err)
		what := "its last notes"
		if n := l.q.abandon(b); n > 0 {
			what = fmt.Sprintf("%d decisions", n)
		}
		return fmt.Errorf("decision log %s: %s were not written: %w; %s", l.cfg.Dir, what, err, hint(err))
	}
	l.tidy()
	if len(b.flush) > 0 {
		tell(b.flush, l.w.sync())
	}
	l.q.give(b)
	if !l.w.refused {
		l.recovered()
	}
	return nil
}

func tell(waiting []chan error, err error) {
	for _, w := range waiting {
		w <- err
	}
}

// persist writes a batch, again and again if need be. It gives up some time after ctx ended.
func (l *Log) persist(ctx context.Context, b *batch) error {
	b.front = l.notes(b)
	var deadline time.Time
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		notes, err := l.w.write(&b.front)
		written := 0
		if err == nil {
			written, err = l.w.write(&b.records)
		}
		l.wrote(notes + written)
		if err == nil {
			return nil
		}
		l.failed(err)
		done := ctx.Done()
		if ctx.Err() != nil {
			if deadline.IsZero() {
				deadline = time.Now().Add(lastTries)
			} else if time.Now().After(deadline) {
				return err
			}
			done = nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-done:
			timer.Stop()
		}
	}
}

// notes are the records of what a batch has to note.
func (l *Log) notes(b *batch) []byte {
	var records []byte
	add := func(n Note) {
		start := len(records)
		records = segment.FinishRecord(appendNote(segment.BeginRecord(records), &n), start)
	}
	for why, n := range b.lost {
		add(Note{Kind: NoteLost, Time: time.Now(), Decisions: n, Reason: why})
	}
	for _, n := range b.notes {
		add(n)
	}
	return records
}

// tidy does what is due by the clock.
func (l *Log) tidy() {
	if due, any := l.w.syncDue(); any && !time.Now().Before(due) {
		_ = l.w.sync() // unsynced is told
	}
	if err := l.w.rotate(); err != nil {
		l.failed(err)
	}
}

// unsynced notes that the disk refused to make something durable: it may have thrown that away, whatever it says the next time.
func (l *Log) unsynced(err error) {
	if l.failed(err) {
		l.q.note(Note{Kind: NoteUnsynced, Time: time.Now(), Reason: err.Error(), Head: l.w.chain.Head()})
	}
}

func (l *Log) wrote(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Written += uint64(n)
	l.status.Head = l.w.chain.Head().String()
}

// failed keeps what is wrong for the status; it is logged, and true, if it was fine before.
func (l *Log) failed(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	isNew := l.status.Error == ""
	l.status.Error = err.Error() + "; " + hint(err)
	if isNew {
		l.status.ErrorSince = time.Now()
		l.log.Error("decision log cannot be written", "dir", l.cfg.Dir, "policy", l.cfg.Policy, "error", l.status.Error)
	}
	return isNew
}

func (l *Log) recovered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.status.Error != "" {
		l.log.Info("decision log is written again", "dir", l.cfg.Dir, "after", time.Since(l.status.ErrorSince))
		l.status.Error, l.status.ErrorSince = "", time.Time{}
	}
}

// end writes what is left and closes everything.
func (l *Log) end() error {
	l.q.close()
	l.q.note(Note{Kind: NoteStopped, Time: time.Now()})
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	err := l.commit(ended)
	l.q.end()
	return errors.Join(err, l.w.shut(), l.lock.Unlock())
}
