package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/functions/flights"
	"github.com/drey-flink/drey/sidecar/functions/flights/dataset"
	"github.com/drey-flink/drey/sidecar/functions/flights/judge"
)

// The split in time. What is not a coefficient is chosen on the validation months, each predicted by a fit of the months
// before it; then all fitted months are fitted once more. The judged months are looked at last, and change nothing.
var (
	fittedMonths     = []int32{1, 2, 3, 4, 5, 6}
	validationMonths = []int32{3, 4, 5, 6}
	judgedMonths     = []int32{7, 8, 9, 10, 11, 12}
)

// candidates of the shrinkage, coarse on purpose: neighbours differ by less than the months do.
func candidates() (all []shrinkage) {
	for _, main := range []float64{10, 30, 100, 300, 1000} {
		for _, rare := range []float64{30, 100, 300} {
			all = append(all, shrinkage{main, rare})
		}
	}
	return all
}

// alertPrecision is what an alert must reach on the validation months: right at least every second time.
const alertPrecision = 0.5

// workers bounds how many fits run at once; each is deterministic by itself.
const workers = 2

// validation holds out-of-time predictions: labels and scores of the validation months, in order.
type validation struct {
	late   []bool
	scores []float64
	auc    float64 // mean over the months
}

func (v *validation) logLoss() float64 { return judge.LogLoss(v.late, v.scores) }

// estimator scores departures.
type estimator func(*flights.In) float64

// validate predicts each validation month by what train makes of the months before it.
func validate(ctx context.Context, r *records, train func(*records) (estimator, error)) (*validation, error) {
	parts := make([]*records, len(validationMonths))
	scores := make([][]float64, len(validationMonths))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, month := range validationMonths {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			var before []int32
			for _, m := range fittedMonths {
				if m < month {
					before = append(before, m)
				}
			}
			score, err := train(r.of(before...))
			if err != nil {
				return fmt.Errorf("validation month %d: %w", month, err)
			}
			parts[i] = r.of(month)
			scores[i] = parts[i].scores(score)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	v := &validation{}
	for i, part := range parts {
		v.late = append(v.late, part.late...)
		v.scores = append(v.scores, scores[i]...)
		v.auc += judge.AUC(part.late, scores[i]) / float64(len(parts))
	}
	return v, nil
}

// fit does all of it: choose among the shrinkages, fit, judge.
func fit(ctx context.Context, all *records, from []shrinkage, progress func(string)) (*flights.File, error) {
	r := all.of(fittedMonths...)
	if len(r.in) == 0 {
		return nil, errors.New("no flights in the fitted months")
	}
	words := r.vocabulary()

	var best *validation
	var chosen shrinkage
	for _, candidate := range from {
		v, err := validate(ctx, r, func(part *records) (estimator, error) {
			m, err := fitAdditive(part, words, candidate)
			if err != nil {
				return nil, err
			}
			return m.probability, nil
		})
		if err != nil {
			return nil, err
		}
		progress(fmt.Sprintf("shrinkage %4.0f, rare %3.0f: validation log loss %.5f, AUC %.4f", candidate.main, candidate.rare, v.logLoss(), v.auc))
		if best == nil || v.logLoss() < best.logLoss() {
			best, chosen = v, candidate
		}
	}
	plain, err := validate(ctx, r, func(part *records) (estimator, error) {
		b, err := fitBaseline(part)
		if err != nil {
			return nil, err
		}
		return b.Probability, nil
	})
	if err != nil {
		return nil, err
	}
	progress(fmt.Sprintf("baseline:                 validation log loss %.5f, AUC %.4f", plain.logLoss(), plain.auc))

	model, err := fitAdditive(r, words, chosen)
	if err != nil {
		return nil, err
	}
	baseline, err := fitBaseline(r)
	if err != nil {
		return nil, err
	}
	baseline.Threshold = round(judge.AtPrecision(plain.late, plain.scores, alertPrecision))
	file := &flights.File{
		Threshold:       round(judge.AtPrecision(best.late, best.scores, alertPrecision)),
		ReviewThreshold: round(judge.BestF1(best.late, best.scores)),
		Intercept:       round(model.intercept),
		Vocabulary:      words,
		Terms:           model.terms(),
		Baseline:        baseline,
		Provenance: flights.Provenance{
			Command:      "go run ./sidecar/functions/flights/fit",
			Data:         dataset.Source,
			DataSHA256:   dataset.ArchiveSHA256,
			Label:        fmt.Sprintf("arr_delay >= %d; flights without arrival (cancelled, diverted) left out", flights.Late),
			Randomness:   "none: no seed, no date, Newton's method from zero",
			FittedMonths: fittedMonths, JudgedMonths: judgedMonths, FittedRows: len(r.in),
			Selection: flights.Selection{
				ValidationMonths: validationMonths,
				ShrinkageRule:    "lowest log loss on the validation months, each predicted by a fit of the months before it",
				Shrinkage:        chosen.main, RareShrinkage: chosen.rare,
				LogLoss: round(best.logLoss()), AUC: round(best.auc),
				BaselineLogLoss: round(plain.logLoss()), BaselineAUC: round(plain.auc),
				ThresholdRule: fmt.Sprintf("alert: lowest score with a precision of %v on the validation months; the baseline's too", alertPrecision),
				ReviewRule:    "review: score of the best F1 on the validation months",
			},
		},
	}
	if math.IsNaN(file.Threshold) || math.IsNaN(file.ReviewThreshold) || math.IsNaN(baseline.Threshold) {
		return nil, fmt.Errorf("no threshold reaches a precision of %v on the validation months", alertPrecision)
	}
	file.ReviewThreshold = min(file.ReviewThreshold, file.Threshold)
	return file, verdict(file, all.of(judgedMonths...))
}

// verdict judges the file as the function will use it: written, rounded and parsed again.
func verdict(file *flights.File, r *records) error {
	scorer, err := flights.NewScorer(file)
	if err != nil {
		return err
	}
	model, plain := r.scores(scorer.Probability), r.scores(scorer.Baseline)
	to := &file.Provenance.Judged
	to.Rows, to.BaseRate = len(r.in), round(judge.Judge(r.late, model, file.Threshold).BaseRate)
	to.Model = metrics(r.late, model, file.Threshold)
	to.Review = metrics(r.late, model, file.ReviewThreshold)
	to.Baseline = metrics(r.late, plain, file.Baseline.Threshold)
	for _, month := range judgedMonths {
		part := r.of(month)
		model, plain := part.scores(scorer.Probability), part.scores(scorer.Baseline)
		file.Provenance.ByMonth = append(file.Provenance.ByMonth, flights.MonthlyAUC{
			Month: month, Rows: len(part.in), BaseRate: round(judge.Judge(part.late, model, 1).BaseRate),
			Model: round(judge.AUC(part.late, model)), Baseline: round(judge.AUC(part.late, plain)),
		})
	}
	return nil
}

func metrics(late []bool, scores []float64, threshold float64) flights.Metrics {
	j := judge.Judge(late, scores, threshold)
	flagged := 0
	for _, s := range scores {
		if s >= threshold {
			flagged++
		}
	}
	return flights.Metrics{
		Threshold: threshold, FlagRate: round(float64(flagged) / float64(len(scores))),
		Precision: round(j.Precision), Recall: round(j.Recall), AUC: round(j.AUC),
	}
}
