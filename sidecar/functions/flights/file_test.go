package flights

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

func parsed(t *testing.T) *File {
	t.Helper()
	var f File
	if err := json.Unmarshal(coefficientsFile, &f, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	return &f
}

func TestFileIsComplete(t *testing.T) {
	f := parsed(t)
	if _, err := Parse(coefficientsFile); err != nil {
		t.Fatal(err)
	}
	for _, term := range f.Terms {
		if len(term.Levels) < 3 {
			t.Errorf("term %q has %d levels", term.Name, len(term.Levels))
		}
		largest := 0.0
		for _, w := range term.Levels {
			largest = max(largest, w, -w)
		}
		if largest == 0 || largest > 5 {
			t.Errorf("term %q: the largest coefficient is %v", term.Name, largest)
		}
	}
	if len(f.Vocabulary.Carriers) < 10 || len(f.Vocabulary.Origins) != 3 || len(f.Vocabulary.Dests) < 80 {
		t.Errorf("vocabulary %v", f.Vocabulary)
	}
	for _, codes := range [][]string{f.Vocabulary.Carriers, f.Vocabulary.Origins, f.Vocabulary.Dests} {
		if !slices.IsSorted(codes) || len(slices.Compact(slices.Clone(codes))) != len(codes) {
			t.Errorf("codes not sorted and distinct: %v", codes)
		}
	}
}

func TestProvenance(t *testing.T) {
	p := parsed(t).Provenance
	if p.Command == "" || p.Data == "" || p.Label == "" || p.Randomness == "" || len(p.DataSHA256) != 64 || p.FittedRows < 100_000 {
		t.Errorf("provenance is incomplete: %+v", p)
	}
	for _, m := range p.JudgedMonths {
		if m <= slices.Max(p.FittedMonths) {
			t.Errorf("month %d is judged but not after the fitted ones %v", m, p.FittedMonths)
		}
	}
	for _, m := range p.Selection.ValidationMonths {
		if !slices.Contains(p.FittedMonths, m) {
			t.Errorf("month %d was used for selection but is not a fitted one", m)
		}
	}
	// What the model is for: it must order the unseen months better than the baseline, and its alerts must be right far
	// more often than a guess. These are the recorded numbers; TestJudgedAsRecorded in package fit recomputes them.
	j := p.Judged
	if j.Model.AUC <= j.Baseline.AUC || j.Model.Precision < 2*j.BaseRate || j.Model.Recall <= 0.1 {
		t.Errorf("judged: %+v", j)
	}
	if len(p.ByMonth) != len(p.JudgedMonths) {
		t.Errorf("%d months judged, want %d", len(p.ByMonth), len(p.JudgedMonths))
	}
	if Model().FirstJudgedMonth != p.JudgedMonths[0] {
		t.Errorf("first judged month %d", Model().FirstJudgedMonth)
	}
}

func TestParseRefusesBrokenFiles(t *testing.T) {
	for want, spoil := range map[string]func(*File){
		"thresholds":                      func(f *File) { f.ReviewThreshold = f.Threshold + 0.1 },
		"no judged months":                func(f *File) { f.Provenance.JudgedMonths = nil },
		"terms, want":                     func(f *File) { f.Terms = f.Terms[1:] },
		`is "carrier", want`:              func(f *File) { f.Terms[0].Name = "carrier" },
		`has no level "25"`:               func(f *File) { f.Terms[0].Levels["25"] = 1 },
		"baseline has 12 inputs, want 13": func(f *File) { f.Baseline.Weights = f.Baseline.Weights[1:] },
		"baseline input 0":                func(f *File) { f.Baseline.Weights[0].Deviation = 0 },
	} {
		f := parsed(t)
		spoil(f)
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "go run ./sidecar/functions/flights/fit") {
			t.Errorf("error %v, want %q and the command that makes the file", err, want)
		}
	}
	for _, text := range []string{"", "{", `{"extra":1}`, "[]"} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

// TestEncoderColumns: each term sets one column of its own, and bins are in order.
func TestEncoderColumns(t *testing.T) {
	e := NewEncoder(parsed(t).Vocabulary)
	in := evening()
	var columns [NumTerms]int32
	e.Encode(&in, &columns)
	want := map[string]string{
		"hour": "20", "weekday": "Friday", "origin x hour": "EWR 20", "carrier": "EV", "rain": "<0.01", "visibility": ">=10",
		"wind": "8..12", "wind direction x origin": "S EWR", "distance": "600..800", "seats": "40..60", "plane age": "9..12",
	}
	for i, c := range columns {
		column := e.Columns()[c]
		if column.Term != terms[i].name {
			t.Errorf("term %q sets a column of %q", terms[i].name, column.Term)
		}
		if w, ok := want[column.Term]; ok && w != column.Level {
			t.Errorf("term %q is at level %q, want %q", column.Term, column.Level, w)
		}
	}
	for _, edges := range [][]float64{
		rainEdges, visibilityEdges, windEdges, temperatureEdges, dewPointEdges, humidityEdges, pressureEdges,
		planeAgeEdges, seatsEdges, distanceEdges, partOfDayEdges,
	} {
		if !slices.IsSorted(edges) {
			t.Errorf("edges out of order: %v", edges)
		}
	}
}

func TestWindLevel(t *testing.T) {
	for _, c := range []struct {
		dir, speed *float64
		want       string
	}{
		{nil, nil, unknown},
		{new(90.0), nil, unknown},
		{nil, new(20.0), unknown},
		{nil, new(0.0), "calm"},
		{new(0.0), new(10.0), "N"},
		{new(360.0), new(10.0), "N"},
		{new(350.0), new(10.0), "N"},
		{new(23.0), new(10.0), "NE"},
		{new(180.0), new(10.0), "S"},
		{new(315.0), new(10.0), "NW"},
		{new(999.0), new(10.0), unknown},
	} {
		if got := compass[windLevel(&In{WindDir: c.dir, WindSpeed: c.speed})]; got != c.want {
			t.Errorf("direction %v speed %v: %s, want %s", c.dir, c.speed, got, c.want)
		}
	}
}
