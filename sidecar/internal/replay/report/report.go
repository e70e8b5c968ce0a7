// Package report is what an audit has found: how often decisions that were made again came out the same, which ones did not, and why.
package report

import (
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Report is the result of an audit.
type Report struct {
	Job          string    `json:"job"`
	CheckpointID int64     `json:"checkpoint_id"`
	Made         time.Time `json:"made"`
	// Build has decided again, Builds had decided, with how many decisions each.
	Build  string           `json:"build"`
	Builds map[string]int64 `json:"builds"`
	// Rules are the versions, with their hashes, of the rules that decided then, and now, with how many decisions each.
	Rules    map[string]int64 `json:"rules,omitempty"`
	RulesNow map[string]int64 `json:"rules_now,omitempty"`
	// Ignored are members of results that were not compared.
	Ignored []string `json:"ignored,omitempty"`

	Decisions int64 `json:"decisions"` // that were made again
	Same      int64 `json:"same"`
	Different int64 `json:"different"`
	// Skipped could not be made again, by why.
	Skipped map[string]int64 `json:"skipped,omitempty"`
	// Displaced decisions were made from another version of the state than they were the first time: what came before them is not complete
	// in the log, or was skipped.
	Displaced int64  `json:"displaced,omitempty"`
	Guarantee string `json:"guarantee"`

	Functions map[string]*Function `json:"functions"`
	// Differences are the first ones, in the order of the log.
	Differences []Difference `json:"differences"`
	// Timeline cuts the time of the decisions into equal parts.
	Timeline []Bucket `json:"timeline"`
}

// Function is what became of the decisions of one function.
type Function struct {
	Decisions int64 `json:"decisions"`
	Different int64 `json:"different"`
	// Outcomes counts what was decided then, and now: see Outcome.
	Outcomes map[string]map[string]int64 `json:"outcomes"`
}

// Difference is a decision that came out in another way.
type Difference struct {
	Seq      uint64         `json:"seq"` // in the decision log
	ID       string         `json:"id"`
	Time     time.Time      `json:"time"`
	Function string         `json:"function"`
	Operator string         `json:"operator,omitempty"`
	Key      string         `json:"key,omitempty"`
	Version  uint64         `json:"version,omitempty"` // of the key group, after it
	Build    string         `json:"build,omitempty"`
	Input    jsontext.Value `json:"input,omitempty"`
	Then     Decided        `json:"then"`
	Now      Decided        `json:"now"`
}

// Decided is one of both sides.
type Decided struct {
	Outcome string         `json:"outcome"`
	Result  jsontext.Value `json:"result,omitempty"`
	Error   string         `json:"error,omitempty"`
	Reasons []string       `json:"reasons,omitempty"`
	Rules   string         `json:"rules_version,omitempty"` // by which it was decided
}

// Bucket is a part of the time.
type Bucket struct {
	From      time.Time `json:"from"`
	Same      int64     `json:"same"`
	Different int64     `json:"different"`
}

// Outcome is by what results are told apart: their member "decision" if that is a string, else "error <code>" or "a result".
func Outcome(result jsontext.Value, code string) string {
	if code != "" {
		return "error " + code
	}
	if text, ok := member(result, "decision"); ok {
		return text
	}
	return "a result"
}

// Builder collects. It is safe for concurrent use.
type Builder struct {
	mu      sync.Mutex
	report  *Report
	most    int
	started time.Time
	width   time.Duration
}

// buckets of a timeline.
const buckets = 60

// NewBuilder begins a report on decisions between two times; it keeps at most so many differences.
func NewBuilder(r *Report, most int, from, to time.Time) *Builder {
	r.Builds, r.Skipped, r.Functions = map[string]int64{}, map[string]int64{}, map[string]*Function{}
	r.Rules, r.RulesNow = map[string]int64{}, map[string]int64{}
	r.Differences = []Difference{}
	b := &Builder{report: r, most: most, started: from, width: max(time.Millisecond, (to.Sub(from)+buckets)/buckets)}
	if !to.Before(from) {
		r.Timeline = make([]Bucket, buckets)
		for i := range r.Timeline {
			r.Timeline[i].From = from.Add(time.Duration(i) * b.width)
		}
	}
	return b
}

// Skip counts one that cannot be made again.
func (b *Builder) Skip(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.Skipped[why]++
}

// Add counts one that was made again.
func (b *Builder) Add(d *Difference, same, displaced bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.report
	r.Decisions++
	r.Builds[d.Build]++
	if d.Then.Rules != "" {
		r.Rules[d.Then.Rules]++
	}
	if d.Now.Rules != "" {
		r.RulesNow[d.Now.Rules]++
	}
	if displaced {
		r.Displaced++
	}
	f := r.Functions[d.Function]
	if f == nil {
		f = &Function{Outcomes: map[string]map[string]int64{}}
		r.Functions[d.Function] = f
	}
	f.Decisions++
	if f.Outcomes[d.Then.Outcome] == nil {
		f.Outcomes[d.Then.Outcome] = map[string]int64{}
	}
	f.Outcomes[d.Then.Outcome][d.Now.Outcome]++
	var bucket *Bucket
	if i := int(d.Time.Sub(b.started) / b.width); i >= 0 && i < len(r.Timeline) {
		bucket = &r.Timeline[i]
	}
	if same {
		r.Same++
		if bucket != nil {
			bucket.Same++
		}
		return
	}
	r.Different++
	f.Different++
	if bucket != nil {
		bucket.Different++
	}
	b.keep(d)
}

// keep keeps the first ones by their place in the log, whatever the order in which they come.
func (b *Builder) keep(d *Difference) {
	all := b.report.Differences
	i := len(all)
	for i > 0 && all[i-1].Seq > d.Seq {
		i--
	}
	if i == b.most {
		return
	}
	all = append(all, Difference{})
	copy(all[i+1:], all[i:])
	all[i] = *d
	b.report.Differences = all[:min(len(all), b.most)]
}
