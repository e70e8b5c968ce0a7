package main

import (
	"math"
	"slices"

	"github.com/drey-flink/drey/sidecar/functions/flights"
	"github.com/drey-flink/drey/sidecar/functions/flights/dataset"
)

// records are the departures whose arrival is known, in the order of time.
type records struct {
	in   []flights.In
	late []bool
}

func load(path string) (*records, error) {
	r := &records{}
	for row, err := range dataset.Load(path, nil) {
		if err != nil {
			return nil, err
		}
		if late, known := row.Late(); known {
			r.in = append(r.in, row.In)
			r.late = append(r.late, late)
		}
	}
	return r, nil
}

// of returns the departures of some months.
func (r *records) of(months ...int32) *records {
	part := &records{}
	for i := range r.in {
		if slices.Contains(months, r.in[i].Month) {
			part.in = append(part.in, r.in[i])
			part.late = append(part.late, r.late[i])
		}
	}
	return part
}

func (r *records) scores(score func(*flights.In) float64) []float64 {
	scores := make([]float64, len(r.in))
	for i := range r.in {
		scores[i] = score(&r.in[i])
	}
	return scores
}

// fewest flights that earn a code its own level; rarer ones count as unknown.
const fewest = 30

func (r *records) vocabulary() flights.Vocabulary {
	carriers, origins, dests := map[string]int{}, map[string]int{}, map[string]int{}
	for i := range r.in {
		carriers[r.in[i].Carrier]++
		origins[r.in[i].Origin]++
		dests[r.in[i].Dest]++
	}
	return flights.Vocabulary{Carriers: frequent(carriers), Origins: frequent(origins), Dests: frequent(dests)}
}

func frequent(counts map[string]int) []string {
	var codes []string
	for code, n := range counts {
		if n >= fewest {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

// round keeps the file readable and independent of the last bits, in which machines differ.
func round(x float64) float64 {
	return math.Round(x*1e6)/1e6 + 0 // + 0 turns -0 into 0
}
