package main

import (
	"math"

	"github.com/drey-flink/drey/sidecar/functions/flights"
)

// shrinkage is the ridge penalty by kind of term. A penalty of l pulls a level as if l/(p(1-p)), about 7 l, average
// flights had been added to it.
type shrinkage struct{ main, rare float64 }

// additive is a fitted model in the columns of its encoder.
type additive struct {
	encoder   *flights.Encoder
	intercept float64
	weights   []float64 // by column; 0 for levels that no fitted flight had
	seen      []int     // fitted flights by column
}

// fitAdditive fits the coefficients of all terms at once.
func fitAdditive(r *records, words flights.Vocabulary, by shrinkage) (*additive, error) {
	m := &additive{encoder: flights.NewEncoder(words)}
	columns := m.encoder.Columns()
	m.seen = make([]int, len(columns))
	rows := make([][flights.NumTerms]int32, len(r.in))
	for i := range r.in {
		m.encoder.Encode(&r.in[i], &rows[i])
		for _, c := range rows[i] {
			m.seen[c]++
		}
	}
	// Only columns that occur are solved for.
	packed := make([]int32, len(columns))
	p := problem{rows: len(rows), labels: r.late}
	for c, n := range m.seen {
		if n == 0 {
			continue
		}
		packed[c] = int32(len(p.penalty))
		if columns[c].Rare {
			p.penalty = append(p.penalty, by.rare)
		} else {
			p.penalty = append(p.penalty, by.main)
		}
	}
	for i := range rows {
		for t, c := range rows[i] {
			rows[i][t] = packed[c]
		}
	}
	p.columns = func(row int) []int32 { return rows[row][:] }
	solved, err := p.solve(nil)
	if err != nil {
		return nil, err
	}
	m.intercept = solved[len(solved)-1]
	m.weights = make([]float64, len(columns))
	for c, n := range m.seen {
		if n > 0 {
			m.weights[c] = solved[packed[c]]
		}
	}
	m.purify()
	m.centre(len(rows))
	return m, nil
}

// purify moves what a pair of variables says on average over one of them into the other's own term, back and forth until
// nothing is left to move (the weighted functional ANOVA of Lengerich and others, "Purifying interaction effects", 2020).
// The scores of the fitted flights stay as they are; the coefficients become what their names say.
func (m *additive) purify() {
	columns := m.encoder.Columns()
	mean, count := make([]float64, len(columns)), make([]float64, len(columns))
	for range purifyRounds {
		moved := 0.0
		for _, main := range []func(c int) int{
			func(c int) int { return columns[c].MainA }, func(c int) int { return columns[c].MainB },
		} {
			for from := 0; from < len(columns); {
				to := from
				for to < len(columns) && columns[to].Term == columns[from].Term {
					to++
				}
				if columns[from].MainA >= 0 {
					clear(mean)
					clear(count)
					for c := from; c < to; c++ {
						mean[main(c)] += m.weights[c] * float64(m.seen[c])
						count[main(c)] += float64(m.seen[c])
					}
					for c := from; c < to; c++ {
						if m.seen[c] > 0 {
							m.weights[c] -= mean[main(c)] / count[main(c)]
						}
					}
					for t, n := range count {
						if n > 0 {
							m.weights[t] += mean[t] / n
							moved = max(moved, math.Abs(mean[t]/n))
						}
					}
				}
				from = to
			}
		}
		if moved < 1e-9 {
			return
		}
	}
}

// purifyRounds is far more than the ten or so that are needed.
const purifyRounds = 1000

// centre moves each term's mean over the fitted flights into the intercept, so that a coefficient says how a level
// differs from the average flight, which is what the reasons print.
func (m *additive) centre(rows int) {
	columns := m.encoder.Columns()
	for from := 0; from < len(columns); {
		to, mean := from, 0.0
		for to < len(columns) && columns[to].Term == columns[from].Term {
			mean += m.weights[to] * float64(m.seen[to]) / float64(rows)
			to++
		}
		for c := from; c < to; c++ {
			if m.seen[c] > 0 {
				m.weights[c] -= mean
			}
		}
		m.intercept += mean
		from = to
	}
}

// terms is the model as the file holds it.
func (m *additive) terms() []flights.TermFile {
	var terms []flights.TermFile
	for c, column := range m.encoder.Columns() {
		if len(terms) == 0 || terms[len(terms)-1].Name != column.Term {
			terms = append(terms, flights.TermFile{Name: column.Term, Levels: map[string]float64{}})
		}
		if m.seen[c] > 0 {
			terms[len(terms)-1].Levels[column.Level] = round(m.weights[c])
		}
	}
	return terms
}

func (m *additive) probability(in *flights.In) float64 {
	var columns [flights.NumTerms]int32
	m.encoder.Encode(in, &columns)
	logOdds := m.intercept
	for _, c := range columns {
		logOdds += m.weights[c]
	}
	return 1 / (1 + math.Exp(-logOdds))
}
