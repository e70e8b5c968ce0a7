package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/drey-flink/drey/sidecar/functions/flights"
	"github.com/drey-flink/drey/sidecar/functions/flights/dataset"
)

// TestJudgedAsRecorded scores the judged months of the real data with the committed file, and compares with what the
// file says about itself.
func TestJudgedAsRecorded(t *testing.T) {
	folder := os.Getenv("DREY_FLIGHTS_DATA")
	if folder == "" {
		t.Skip("needs the real records, a download of 9 MB; scripts/test demo fit prepares them and sets DREY_FLIGHTS_DATA")
	}
	all, err := load(filepath.Join(folder, dataset.FileName))
	if err != nil {
		t.Fatal(err)
	}
	judged := all.of(judgedMonths...)
	model, want := flights.Model(), flights.Model().Provenance.Judged
	if len(judged.in) != want.Rows {
		t.Errorf("%d judged flights, want %d", len(judged.in), want.Rows)
	}
	if got := metrics(judged.late, judged.scores(model.Probability), model.Threshold); got != want.Model {
		t.Errorf("model %+v, recorded %+v", got, want.Model)
	}
	if got := metrics(judged.late, judged.scores(model.Baseline), model.BaselineThreshold); got != want.Baseline {
		t.Errorf("baseline %+v, recorded %+v", got, want.Baseline)
	}
}
