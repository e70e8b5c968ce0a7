package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

// table is a dense problem for the tests.
func table(rows [][]float64, labels []bool, penalty ...float64) problem {
	all := make([]int32, len(penalty))
	for c := range all {
		all[c] = int32(c)
	}
	return problem{
		rows: len(rows), labels: labels, penalty: penalty,
		columns: func(int) []int32 { return all },
		values:  func(row int) []float64 { return rows[row] },
	}
}

func TestInterceptIsTheBaseRate(t *testing.T) {
	p := table([][]float64{{}, {}, {}, {}}, []bool{true, false, false, false})
	w, err := p.solve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Log(1.0 / 3); math.Abs(w[0]-want) > 1e-6 {
		t.Errorf("intercept %v, want %v", w[0], want)
	}
}

// TestOneHotIsTheOdds: a level's weight is the log of the odds ratio when nothing shrinks it.
func TestOneHotIsTheOdds(t *testing.T) {
	p := problem{rows: 12, penalty: []float64{1e-9}}
	p.columns = func(row int) []int32 {
		if row < 6 {
			return []int32{0}
		}
		return nil
	}
	p.labels = []bool{true, true, true, true, false, false, true, false, false, false, false, false}
	w, err := p.solve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Log(2.0 / (1.0 / 5)); math.Abs(w[0]-want) > 1e-4 {
		t.Errorf("weight %v, want %v", w[0], want)
	}
}

// TestSolveFindsTheMinimum: on random problems, also separable ones, no small change improves the loss, and any start
// leads to the same place.
func TestSolveFindsTheMinimum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 20 {
		n := 40
		rows, labels := make([][]float64, n), make([]bool, n)
		for i := range rows {
			rows[i] = []float64{rng.NormFloat64(), 10 * rng.NormFloat64(), rng.Float64()}
			labels[i] = rows[i][0]+0.1*float64(round)*rng.NormFloat64() > 0
		}
		labels[0], labels[1] = true, false
		p := table(rows, labels, 0.5, 0.5, 0.5)
		w, err := p.solve(nil)
		if err != nil {
			t.Fatal(err)
		}
		best := p.loss(w)
		for c := range w {
			for _, d := range []float64{-0.01, 0.01} {
				moved := append([]float64(nil), w...)
				moved[c] += d
				if p.loss(moved) < best {
					t.Fatalf("round %d: weight %d is not at its minimum", round, c)
				}
			}
		}
		again, err := p.solve([]float64{1, -1, 1, 0.5})
		if err != nil {
			t.Fatal(err)
		}
		for c := range w {
			if math.Abs(w[c]-again[c]) > 1e-2 {
				t.Fatalf("round %d: %v and %v from another start", round, w, again)
			}
		}
	}
}

func TestSingularIsAnError(t *testing.T) {
	p := table([][]float64{{1, 1}, {2, 2}, {3, 3}}, []bool{true, false, true}, 0, 0)
	if w, err := p.solve(nil); err == nil {
		t.Errorf("two equal columns without a penalty gave %v", w)
	}
}

func TestCholesky(t *testing.T) {
	m := []float64{4, 0, 0, 2, 5, 0, 1, 3, 6} // lower triangle
	b := []float64{1, 2, 3}
	if err := cholesky(m, 3); err != nil {
		t.Fatal(err)
	}
	x := solveTriangular(m, b, 3)
	for i, row := range [][]float64{{4, 2, 1}, {2, 5, 3}, {1, 3, 6}} {
		if got := row[0]*x[0] + row[1]*x[1] + row[2]*x[2]; math.Abs(got-b[i]) > 1e-12 {
			t.Errorf("row %d gives %v, want %v", i, got, b[i])
		}
	}
}
