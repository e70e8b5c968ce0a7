package decisions

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// Report says what a whole log holds and what is wrong with it.
type Report struct {
	Segments  int       `json:"segments"`
	Bytes     int64     `json:"bytes"` // of the files
	Decisions uint64    `json:"decisions"`
	Notes     uint64    `json:"notes"`
	Lost      uint64    `json:"lost"`    // decisions that were not written, as notes tell
	Dropped   uint64    `json:"dropped"` // records up to this number were dropped, as notes tell
	Start     string    `json:"start"`   // the chain before the first record that is there
	Head      string    `json:"head"`    // the chain after the last one
	Tail      int64     `json:"tail"`    // bytes of an unfinished write at the end: normal while the log is written, and after a crash
	Problems  []Problem `json:"problems"`
}

// Problem is something that does not fit.
type Problem struct {
	Segment string `json:"segment"` // the file's name; empty if it is about the log
	Message string `json:"message"`
}

// gap is a place where segments are missing.
type gap struct {
	from, to uint64 // records
	segment  string // after it
}

// Verify reads everything and follows the chain. expect is a head that was noted elsewhere, or the zero Head: the chain must
// lead through it. Only that shows whether somebody cut off the end of the log, or wrote all of it anew. Segments that are
// missing are a problem unless a note tells that they were dropped.
func (r *Reader) Verify(ctx context.Context, expect segment.Head) (Report, error) {
	v := verification{r: r, expect: expect, report: Report{Problems: []Problem{}}}
	if err := v.run(ctx); err != nil {
		return v.report, err
	}
	v.conclude()
	return v.report, nil
}

type verification struct {
	r       *Reader
	expect  segment.Head
	met     bool // the chain came to expect's number
	report  Report
	head    segment.Head
	started bool
	gaps    []gap
	dropped segment.Head // the newest that a note tells of
}

func (v *verification) problem(name string, err error) {
	v.report.Problems = append(v.report.Problems, Problem{Segment: name, Message: err.Error()})
}

// run checks the segments in order. One that is gone was sealed or dropped meanwhile: the folder is looked at again.
func (v *verification) run(ctx context.Context) error {
	for done, tries := uint64(0), 0; ; {
		files, err := listSegments(v.r.dir)
		if err != nil {
			return err
		}
		again := false
		for i, file := range files {
			if file.first < done {
				continue
			}
			err := v.segment(ctx, file, i == len(files)-1)
			if again = segment.Gone(err) && tries < maxTries; again {
				tries++
				break
			}
			if err != nil {
				return err
			}
			done, tries = file.first+1, 0
		}
		if !again {
			return nil
		}
	}
}

func (v *verification) segment(ctx context.Context, file segmentFile, last bool) error {
	name := filepath.Base(file.path)
	f, err := v.r.reader.Open(file.path)
	switch {
	case err == nil:
	case segment.Gone(err):
		return err
	case last && !file.sealed && errors.Is(err, segment.ErrUnfinished): // is being made, or the writer died over it
		v.report.Tail = file.size
		return nil
	default:
		v.problem(name, err)
		return nil
	}
	defer f.Close()
	v.report.Segments++
	v.report.Bytes += file.size
	before := f.Header.Before
	if before.Seq+1 != file.first {
		v.problem(name, fmt.Errorf("its header says that it begins with record %d: it was renamed", before.Seq+1))
	}
	if f.Sealed() != file.sealed {
		v.problem(name, fmt.Errorf("its header is of the other kind of segment: it was renamed"))
	}
	switch {
	case !v.started:
		v.started, v.report.Start = true, before.String()
		if before.Seq > 0 {
			v.gaps = append(v.gaps, gap{from: 1, to: before.Seq, segment: name})
		}
		v.met = v.expect.Seq < before.Seq // what was dropped cannot be compared
		v.meet(before)
	case before.Seq > v.head.Seq:
		v.gaps = append(v.gaps, gap{from: v.head.Seq + 1, to: before.Seq, segment: name})
	case before != v.head:
		v.problem(name, fmt.Errorf("it does not follow the segment before it: one of them was changed, exchanged or removed"))
	}
	checked, err := f.Check(ctx, keyOf, func(h segment.Head, body []byte) { v.record(name, h, body) }, func(err error) { v.problem(name, err) })
	if err != nil {
		return err
	}
	v.head, v.report.Tail = checked.Last, checked.Tail
	return nil
}

// meet compares the chain with the head that was noted elsewhere.
func (v *verification) meet(h segment.Head) {
	if h.Seq != v.expect.Seq || v.expect == (segment.Head{}) {
		return
	}
	v.met = true
	if h != v.expect {
		v.problem("", fmt.Errorf("record %d has another hash than the one that was noted: the log up to there was changed", h.Seq))
	}
}

func (v *verification) record(name string, h segment.Head, body []byte) {
	v.meet(h)
	e, err := decode(h.Seq, body, nil)
	if err != nil {
		v.problem(name, fmt.Errorf("record %d: %w", h.Seq, err))
		return
	}
	if e.Note == nil {
		v.report.Decisions++
		return
	}
	v.report.Notes++
	switch e.Note.Kind {
	case NoteLost:
		v.report.Lost += e.Note.Decisions
	case NoteDropped:
		if e.Note.Head.Seq >= v.dropped.Seq {
			v.dropped = e.Note.Head
		}
	}
}

// conclude says what can be said only at the end.
func (v *verification) conclude() {
	v.report.Head, v.report.Dropped = v.head.String(), v.dropped.Seq
	for _, g := range v.gaps {
		if g.to > v.dropped.Seq {
			v.problem(g.segment, fmt.Errorf("records %d to %d before it are missing, and no note tells that they were dropped", g.from, g.to))
		}
	}
	if v.started && v.report.Start != "" {
		if start, err := segment.ParseHead(v.report.Start); err == nil && start.Seq == v.dropped.Seq && start != v.dropped && start.Seq > 0 {
			v.problem("", fmt.Errorf("the note of what was dropped names another hash of record %d: what is there is not what was written", start.Seq))
		}
	}
	if v.expect != (segment.Head{}) && !v.met {
		v.problem("", fmt.Errorf("the log ends with record %d, record %d was noted: its end is missing", v.head.Seq, v.expect.Seq))
	}
}
