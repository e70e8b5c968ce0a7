package main

import (
	"math"

	"github.com/drey-flink/drey/sidecar/functions/flights"
)

// baselinePenalty only keeps the matrix regular: the baseline has a dozen weights and 160,000 rows.
const baselinePenalty = 1e-3

// fitBaseline fits the plain logistic regression on standardised inputs; unknown values take the mean.
func fitBaseline(r *records) (flights.BaselineFile, error) {
	var file flights.BaselineFile
	var known, sum, squares [flights.NumBaseline]float64
	for i := range r.in {
		for j, v := range flights.BaselineInputs(&r.in[i]) {
			if v != nil {
				known[j]++
				sum[j] += *v
			}
		}
	}
	for i := range r.in {
		for j, v := range flights.BaselineInputs(&r.in[i]) {
			if v != nil {
				d := *v - sum[j]/known[j]
				squares[j] += d * d
			}
		}
	}
	for j, name := range flights.BaselineNames() {
		file.Weights = append(file.Weights, flights.BaselineWeight{
			Name: name, Mean: round(sum[j] / known[j]), Deviation: round(math.Sqrt(squares[j] / known[j])),
		})
	}
	rows := make([][flights.NumBaseline]float64, len(r.in))
	for i := range r.in {
		for j, v := range flights.BaselineInputs(&r.in[i]) {
			if v != nil {
				rows[i][j] = (*v - file.Weights[j].Mean) / file.Weights[j].Deviation
			}
		}
	}
	var all [flights.NumBaseline]int32
	p := problem{rows: len(rows), labels: r.late, penalty: make([]float64, flights.NumBaseline)}
	for j := range all {
		all[j] = int32(j)
		p.penalty[j] = baselinePenalty
	}
	p.columns = func(int) []int32 { return all[:] }
	p.values = func(row int) []float64 { return rows[row][:] }
	solved, err := p.solve(nil)
	if err != nil {
		return file, err
	}
	for j := range file.Weights {
		file.Weights[j].Weight = round(solved[j])
	}
	file.Intercept = round(solved[flights.NumBaseline])
	return file, nil
}
