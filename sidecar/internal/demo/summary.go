package demo

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/drey-flink/drey/sidecar/functions/flights"
	"github.com/drey-flink/drey/sidecar/functions/flights/dataset"
	"github.com/drey-flink/drey/sidecar/functions/flights/judge"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// Summary is what came of a demo; its JSON form is the report. What cannot be computed (a precision without labels) is
// null.
type Summary struct {
	Via         string          `json:"via"`
	Input       string          `json:"input"`
	Events      int64           `json:"events"`
	Decisions   int64           `json:"decisions"`
	Digest      string          `json:"decisions_digest"` // of ids, scores, decisions and reasons: equal if they are
	Alerts      int64           `json:"alerts"`
	Reviews     int64           `json:"reviews"`
	Failed      int64           `json:"failed"`
	Duplicates  int64           `json:"duplicates"`
	Quality                     // of the alerts
	Judged      int64           `json:"judged"` // decisions with a label that count
	Baseline    *Quality        `json:"baseline,omitempty"`
	Latency     Latency         `json:"latency_ms"`
	Seconds     float64         `json:"seconds"`
	Checkpoints []Checkpoint    `json:"checkpoints"`
	JobID       string          `json:"job_id"`
	JobState    flinkrest.State `json:"job_state"`

	judgedWhat string
	firstError string
	kept       bool
}

// Quality is how good decisions are against labels.
type Quality struct {
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	AUC       *float64 `json:"auc,omitempty"`
	BaseRate  *float64 `json:"base_rate,omitempty"`
}

// Latency is what a record waits for its decision inside Flink. HTTP: from the moment that the operator gets it until the
// answer is there, retries included. UDF: the call, with the record made JSON and the answer read. SQL: from before the query until after
// it, with the conversion into SQL's types and back.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Checkpoint is a completed checkpoint.
type Checkpoint struct {
	ID   int64  `json:"id"`
	Path string `json:"path"`
}

func (d *demo) summarise(got *decisions) (*Summary, error) {
	s := &Summary{
		Via: d.Via, Digest: got.digest(), Input: d.Input, Events: d.Events, Decisions: got.lines, Failed: got.failed,
		Duplicates: int64(len(got.duplicates)), Seconds: math.Round(time.Since(d.started).Seconds()*10) / 10,
		JobID: d.job, JobState: d.watch.state, Checkpoints: []Checkpoint{}, firstError: got.firstError, kept: d.Keep,
	}
	var latencies []float64
	for _, one := range got.byID {
		switch one.Decision {
		case "alert":
			s.Alerts++
		case "review":
			s.Reviews++
		}
		latencies = append(latencies, one.LatencyUS)
	}
	s.Latency = Latency{P50: quantile(latencies, 0.5), P99: quantile(latencies, 0.99)}
	slices.Sort(d.watch.order)
	for _, id := range d.watch.order {
		s.Checkpoints = append(s.Checkpoints, Checkpoint{ID: id, Path: d.watch.checkpoints[id]})
	}
	if d.Input == Flights {
		return s, s.judgeFlights(d.data, got)
	}
	s.judgeLabels(got)
	return s, nil
}

// judgeLabels judges by the labels that the job carried along.
func (s *Summary) judgeLabels(got *decisions) {
	var labels, alerts []bool
	var scores []float64
	for _, one := range got.byID {
		if one.Label != nil && one.Score != nil {
			labels, alerts, scores = append(labels, *one.Label), append(alerts, one.Decision == "alert"), append(scores, *one.Score)
		}
	}
	s.Quality, s.Judged = qualityOf(labels, alerts, scores), int64(len(labels))
	s.judgedWhat = "labels of the generator"
}

// judgeFlights judges by the real arrivals, and only in the months that the model was not fitted on.
func (s *Summary) judgeFlights(data string, got *decisions) error {
	model := flights.Model()
	var labels, alerts, baseAlerts []bool
	var scores, baseScores []float64
	for row, err := range dataset.Load(data, nil) {
		if err != nil {
			return err
		}
		one, decided := got.byID[row.ID]
		late, known := row.Late()
		if !decided || !known || one.Score == nil || row.Month < model.FirstJudgedMonth {
			continue
		}
		base := flights.BaselineScore(row.In)
		labels = append(labels, late)
		alerts, scores = append(alerts, one.Decision == "alert"), append(scores, *one.Score)
		baseAlerts, baseScores = append(baseAlerts, base >= model.BaselineThreshold), append(baseScores, base)
	}
	s.Quality, s.Judged = qualityOf(labels, alerts, scores), int64(len(labels))
	if len(labels) > 0 {
		base := qualityOf(labels, baseAlerts, baseScores)
		s.Baseline = &base
	}
	s.judgedWhat = fmt.Sprintf("real arrivals %d+ min late, from month %d on (the model was fitted on the months before)", flights.Late, model.FirstJudgedMonth)
	return nil
}

func qualityOf(labels, alerts []bool, scores []float64) Quality {
	asScore := make([]float64, len(alerts)) // an alert as a score of 1, so that the same code judges it
	for i, alert := range alerts {
		if alert {
			asScore[i] = 1
		}
	}
	r := judge.Judge(labels, asScore, 1)
	return Quality{number(r.Precision), number(r.Recall), number(judge.AUC(labels, scores)), number(r.BaseRate)}
}

func number(f float64) *float64 {
	if math.IsNaN(f) {
		return nil
	}
	f = math.Round(f*10_000) / 10_000
	return &f
}

// quantile is the smallest value, in milliseconds, that a share q of the microseconds is not above; it sorts them.
func quantile(micros []float64, q float64) float64 {
	if len(micros) == 0 {
		return 0
	}
	slices.Sort(micros)
	return micros[max(0, int(math.Ceil(q*float64(len(micros))))-1)] / 1000
}

// check says what makes the demo a failure.
func (s *Summary) check() error {
	var errs []error
	if s.Decisions+s.Failed != s.Events {
		errs = append(errs, fmt.Errorf("%d events went in, %d decisions and %d failed records came out", s.Events, s.Decisions, s.Failed))
	}
	if s.Duplicates > 0 {
		errs = append(errs, fmt.Errorf("%d decisions came out twice", s.Duplicates))
	}
	if s.Failed > 0 {
		errs = append(errs, fmt.Errorf("%d records failed, the first: %s", s.Failed, s.firstError))
	}
	if len(s.Checkpoints) == 0 {
		errs = append(errs, errors.New("no checkpoint was completed"))
	}
	return errors.Join(errs...)
}

func (s *Summary) write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

var latencyWords = map[string]string{
	HTTP: "as Flink sees it", UDF: "of the call, JSON there and back", SQL: "from before the query until after it",
}

func (s *Summary) print(out io.Writer) {
	w := bufio.NewWriter(out)
	defer w.Flush()
	line := func(name, format string, a ...any) { fmt.Fprintf(w, "  %-13s %s\n", name, fmt.Sprintf(format, a...)) }
	fmt.Fprintln(w, "\nSummary")
	line("job", "%s, %s", s.JobID, s.JobState)
	line("events in", "%d", s.Events)
	line("decisions out", "%d in %.0f s, cluster start included", s.Decisions, s.Seconds)
	line("alerts", "%d, and %d for review", s.Alerts, s.Reviews)
	line("digest", "%s; the same decisions have the same, whichever --via", s.Digest)
	line("failed", "%d", s.Failed)
	line("latency", "p50 %.3g ms, p99 %.3g ms, %s", s.Latency.P50, s.Latency.P99, latencyWords[s.Via])
	if s.Judged > 0 {
		line("judged", "%d decisions by the %s", s.Judged, s.judgedWhat)
		line("", "%-10s %9s %9s %9s", "", "precision", "recall", "AUC")
		line("", "%-10s %9s %9s %9s", "Go", text(s.Precision), text(s.Recall), text(s.AUC))
		if b := s.Baseline; b != nil {
			line("", "%-10s %9s %9s %9s", "logistic", text(b.Precision), text(b.Recall), text(b.AUC))
		}
		line("", "%-10s %9s %9s %9s   (an alert for everything)", "base rate", text(s.BaseRate), "1.000", "0.500")
	} else {
		line("judged", "not: this input has no labels")
	}
	s.printCheckpoints(w)
}

func (s *Summary) printCheckpoints(w io.Writer) {
	fmt.Fprintf(w, "  %-13s %d completed\n", "checkpoints", len(s.Checkpoints))
	const shown = 5
	newest := s.Checkpoints[max(0, len(s.Checkpoints)-shown):]
	for _, c := range newest {
		fmt.Fprintf(w, "  %-13s %4d  %s\n", "", c.ID, c.Path)
	}
	note := "Flink deletes the checkpoints of a job that finishes; --keep leaves it running, and the last 3 in S3"
	if s.kept {
		note = "Flink keeps the last 3 in S3"
	}
	fmt.Fprintf(w, "  %-13s (%s)\n", "", note)
}

func text(f *float64) string {
	if f == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *f)
}
