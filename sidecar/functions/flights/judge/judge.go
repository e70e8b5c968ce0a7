// Package judge says how good scores are against labels. The command that fits the flights model and the demo's summary
// use the same functions, so that their numbers can be compared.
package judge

import (
	"cmp"
	"math"
	"slices"
)

// Result judges the decision "score >= threshold" and the order of the scores. What cannot be computed is NaN: the
// precision of no alerts, the recall without positives, the AUC of one class only.
type Result struct {
	Precision, Recall, AUC, BaseRate float64
	N, Positives                     int
}

// Judge compares scores with labels of the same length. Precision and recall are of the scores at or above the
// threshold, the base rate is the share of positives, the AUC the chance that a positive is scored above a negative.
func Judge(labels []bool, scores []float64, threshold float64) Result {
	if len(labels) != len(scores) {
		panic("judge: as many labels as scores are needed")
	}
	r := Result{N: len(labels)}
	var alerts, hits int
	for i, positive := range labels {
		alert := scores[i] >= threshold
		if positive {
			r.Positives++
		}
		if alert {
			alerts++
		}
		if alert && positive {
			hits++
		}
	}
	r.Precision = ratio(hits, alerts)
	r.Recall = ratio(hits, r.Positives)
	r.BaseRate = ratio(r.Positives, r.N)
	r.AUC = AUC(labels, scores)
	return r
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return float64(part) / float64(whole)
}

// AUC is the area under the receiver operating characteristic, computed as the Mann-Whitney statistic: each pair of a
// positive and a negative counts 1 if the positive has the higher score and 1/2 if the scores are equal. It is NaN
// without at least one of each.
func AUC(labels []bool, scores []float64) float64 {
	order := byScore(labels, scores)
	var positives, rankSum float64
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && order[to].score == order[from].score {
			to++
		}
		// Equal scores share the mean of the ranks from+1 .. to.
		rank := float64(from+1+to) / 2
		for _, s := range order[from:to] {
			if s.positive {
				positives++
				rankSum += rank
			}
		}
		from = to
	}
	negatives := float64(len(order)) - positives
	if positives == 0 || negatives == 0 {
		return math.NaN()
	}
	return (rankSum - positives*(positives+1)/2) / (positives * negatives)
}

// BestF1 returns the threshold with the highest F1 (harmonic mean of precision and recall) of the decision
// "score >= threshold", the highest such threshold if several are equal. It is NaN without positives.
func BestF1(labels []bool, scores []float64) float64 {
	order := byScore(labels, scores)
	slices.Reverse(order)
	positives := 0
	for _, s := range order {
		if s.positive {
			positives++
		}
	}
	best, threshold, hits := 0.0, math.NaN(), 0
	for i, s := range order {
		if s.positive {
			hits++
		}
		if i+1 < len(order) && order[i+1].score == s.score {
			continue // no threshold falls between equal scores
		}
		if f1 := 2 * float64(hits) / float64(i+1+positives); f1 > best {
			best, threshold = f1, s.score
		}
	}
	return threshold
}

// AtPrecision returns the lowest threshold at which the decision "score >= threshold" is right at least as often as the
// given precision; NaN if there is none.
func AtPrecision(labels []bool, scores []float64, precision float64) float64 {
	order := byScore(labels, scores)
	slices.Reverse(order)
	threshold, hits := math.NaN(), 0
	for i, s := range order {
		if s.positive {
			hits++
		}
		if i+1 < len(order) && order[i+1].score == s.score {
			continue
		}
		if ratio(hits, i+1) >= precision {
			threshold = s.score
		}
	}
	return threshold
}

// LogLoss is the mean negative log-likelihood of the labels, for scores that are probabilities.
func LogLoss(labels []bool, scores []float64) float64 {
	sum := 0.0
	for i, positive := range labels {
		if positive {
			sum -= math.Log(scores[i])
		} else {
			sum -= math.Log1p(-scores[i])
		}
	}
	return sum / float64(len(labels))
}

type scored struct {
	score    float64
	positive bool
}

// byScore sorts ascending.
func byScore(labels []bool, scores []float64) []scored {
	order := make([]scored, len(scores))
	for i, s := range scores {
		order[i] = scored{s, labels[i]}
	}
	slices.SortFunc(order, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	return order
}
