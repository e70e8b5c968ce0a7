package judge

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestJudge(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		labels    []bool
		scores    []float64
		threshold float64
		want      Result
	}{
		"nothing": {nil, nil, 0.5, Result{Precision: nan, Recall: nan, AUC: nan, BaseRate: nan}},
		"perfect": {
			[]bool{false, false, true, true}, []float64{0.1, 0.2, 0.8, 0.9}, 0.5,
			Result{Precision: 1, Recall: 1, AUC: 1, BaseRate: 0.5, N: 4, Positives: 2},
		},
		"upside down": {
			[]bool{true, true, false, false}, []float64{0.1, 0.2, 0.8, 0.9}, 0.5,
			Result{Precision: 0, Recall: 0, AUC: 0, BaseRate: 0.5, N: 4, Positives: 2},
		},
		"a constant is worth half": {
			[]bool{true, false, false, false, true}, []float64{0.3, 0.3, 0.3, 0.3, 0.3}, 0.3,
			Result{Precision: 0.4, Recall: 1, AUC: 0.5, BaseRate: 0.4, N: 5, Positives: 2},
		},
		// Pairs (positive, negative): 0.5 > 0.1, 0.5 = 0.5 (half), 0.9 > both: 3.5 of 4.
		"one tie": {
			[]bool{false, true, false, true}, []float64{0.1, 0.5, 0.5, 0.9}, 0.6,
			Result{Precision: 1, Recall: 0.5, AUC: 0.875, BaseRate: 0.5, N: 4, Positives: 2},
		},
		"threshold is included": {
			[]bool{true, false}, []float64{0.5, 0.4}, 0.5,
			Result{Precision: 1, Recall: 1, AUC: 1, BaseRate: 0.5, N: 2, Positives: 1},
		},
		"no alert": {
			[]bool{true, false}, []float64{0.5, 0.4}, 0.6,
			Result{Precision: nan, Recall: 0, AUC: 1, BaseRate: 0.5, N: 2, Positives: 1},
		},
		"one class": {
			[]bool{false, false}, []float64{0.5, 0.4}, 0.45,
			Result{Precision: 0, Recall: nan, AUC: nan, BaseRate: 0, N: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Judge(c.labels, c.scores, c.threshold), cmpopts.EquateNaNs()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAgainstAllPairs compares with the definition on random data with many ties.
func TestAgainstAllPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		n := 2 + rng.IntN(60)
		labels, scores := make([]bool, n), make([]float64, n)
		for i := range n {
			labels[i], scores[i] = rng.IntN(3) == 0, float64(rng.IntN(8))/8
		}
		var wins, pairs float64
		for i := range n {
			for j := range n {
				if labels[i] && !labels[j] {
					pairs++
					switch {
					case scores[i] > scores[j]:
						wins++
					case scores[i] == scores[j]:
						wins += 0.5
					}
				}
			}
		}
		if got, want := AUC(labels, scores), wins/pairs; math.Abs(got-want) > 1e-12 {
			t.Fatalf("AUC %v, want %v", got, want)
		}
		best, lowest := 0.0, math.NaN()
		for _, at := range scores {
			r := Judge(labels, scores, at)
			if f1 := 2 * r.Precision * r.Recall / (r.Precision + r.Recall); f1 > best {
				best = f1
			}
			if r.Precision >= 0.4 && !(at >= lowest) {
				lowest = at
			}
		}
		if at := AtPrecision(labels, scores, 0.4); at != lowest && !(math.IsNaN(at) && math.IsNaN(lowest)) {
			t.Fatalf("precision 0.4 from %v, want %v", at, lowest)
		}
		if at := BestF1(labels, scores); best > 0 {
			r := Judge(labels, scores, at)
			if f1 := 2 * r.Precision * r.Recall / (r.Precision + r.Recall); math.Abs(f1-best) > 1e-12 {
				t.Fatalf("F1 %v at %v, want %v", f1, at, best)
			}
		} else if !math.IsNaN(at) {
			t.Fatalf("threshold %v without positives", at)
		}
	}
}

func TestLogLoss(t *testing.T) {
	got := LogLoss([]bool{true, false}, []float64{0.5, 0.5})
	if math.Abs(got-math.Ln2) > 1e-12 {
		t.Errorf("log loss of a coin is %v", got)
	}
}
