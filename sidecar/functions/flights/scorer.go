package flights

import (
	"fmt"

	"github.com/go-json-experiment/json"
)

// Scorer is a parsed file. It is immutable and safe for concurrent use.
type Scorer struct {
	// Threshold is the score from which a departure is an alert, ReviewThreshold from which a person should look.
	Threshold, ReviewThreshold float64
	// BaselineThreshold belongs to [Scorer.Baseline].
	BaselineThreshold float64
	// FirstJudgedMonth is the first month that the fit has not seen: only flights from there on judge the model.
	FirstJudgedMonth int32
	// Provenance is as in the file.
	Provenance Provenance

	encoder   *Encoder
	intercept float64
	weights   []float64 // by column of the encoder
	baseline  BaselineFile
}

// again is what a broken file's error tells to do.
const again = "make it again: go run ./sidecar/functions/flights/fit"

// Parse reads a coefficients file. A file that lacks a term or names one that this program does not know is an error:
// it was made by another version of the program.
func Parse(file []byte) (*Scorer, error) {
	var f File
	if err := json.Unmarshal(file, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("flights coefficients: %w; %s", err, again)
	}
	s, err := NewScorer(&f)
	if err != nil {
		return nil, fmt.Errorf("flights coefficients: %w; %s", err, again)
	}
	return s, nil
}

// NewScorer checks a file's content and prepares it for scoring. The scorer shares the file's baseline weights.
func NewScorer(f *File) (*Scorer, error) {
	if !(0 < f.ReviewThreshold && f.ReviewThreshold <= f.Threshold && f.Threshold < 1) {
		return nil, fmt.Errorf("thresholds %v (review) and %v (alert) are not in order between 0 and 1", f.ReviewThreshold, f.Threshold)
	}
	if len(f.Provenance.JudgedMonths) == 0 {
		return nil, fmt.Errorf("no judged months")
	}
	s := &Scorer{
		Threshold: f.Threshold, ReviewThreshold: f.ReviewThreshold, BaselineThreshold: f.Baseline.Threshold,
		FirstJudgedMonth: f.Provenance.JudgedMonths[0], Provenance: f.Provenance,
		encoder: NewEncoder(f.Vocabulary), intercept: f.Intercept, baseline: f.Baseline,
	}
	if err := s.fill(f.Terms); err != nil {
		return nil, err
	}
	if len(f.Baseline.Weights) != NumBaseline {
		return nil, fmt.Errorf("baseline has %d inputs, want %d", len(f.Baseline.Weights), NumBaseline)
	}
	for i, w := range f.Baseline.Weights {
		if w.Name != baselineNames[i] || !(w.Deviation > 0) {
			return nil, fmt.Errorf("baseline input %d is %q with deviation %v, want %q with a positive one", i, w.Name, w.Deviation, baselineNames[i])
		}
	}
	return s, nil
}

func (s *Scorer) fill(file []TermFile) error {
	if len(file) != NumTerms {
		return fmt.Errorf("%d terms, want %d", len(file), NumTerms)
	}
	type key struct{ term, level string }
	columns := make(map[key]int, len(s.encoder.column))
	for i, c := range s.encoder.column {
		columns[key{c.Term, c.Level}] = i
	}
	s.weights = make([]float64, len(s.encoder.column))
	for i, t := range file {
		if t.Name != terms[i].name {
			return fmt.Errorf("term %d is %q, want %q", i, t.Name, terms[i].name)
		}
		for level, weight := range t.Levels {
			column, ok := columns[key{t.Name, level}]
			if !ok {
				return fmt.Errorf("term %q has no level %q", t.Name, level)
			}
			s.weights[column] = weight
		}
	}
	return nil
}

// sum adds the coefficients up, by topic and in all.
func (s *Scorer) sum(in *In, parts *[numTopics]float64) float64 {
	var columns [NumTerms]int32
	s.encoder.Encode(in, &columns)
	total := s.intercept
	for i, column := range columns {
		w := s.weights[column]
		parts[terms[i].topic] += w
		total += w
	}
	return total
}

// Probability is the score without its decision and reasons, of a valid departure.
func (s *Scorer) Probability(in *In) float64 {
	var parts [numTopics]float64
	return sigmoid(s.sum(in, &parts))
}
