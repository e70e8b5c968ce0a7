package main

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/functions/flights"
)

var few = []shrinkage{{10, 30}, {30, 30}}

// year makes a small year of departures in which rain in the evening is what makes flights late.
func year(seed uint64, perMonth int) *records {
	rng := rand.New(rand.NewPCG(seed, 9))
	r := &records{}
	pick := func(codes ...string) string { return codes[rng.IntN(len(codes))] }
	for month := range int32(12) {
		for range perMonth {
			in := flights.In{
				SchedMinute: int32(6*60 + rng.IntN(16*60)), Month: month + 1, Weekday: int32(1 + rng.IntN(7)),
				Carrier: pick("AA", "UA", "EV"), Origin: pick("EWR", "JFK", "LGA"), Dest: pick("ATL", "ORD", "BOS"),
				Distance: 100 + 1000*rng.Float64(),
				Temp:     new(20 + 60*rng.Float64()), Dewp: new(60 * rng.Float64()), Humid: new(100 * rng.Float64()),
				WindDir: new(360 * rng.Float64()), WindSpeed: new(25 * rng.Float64()), WindGust: new(30 * rng.Float64()),
				Precip: new(0.0), Pressure: new(1000 + 30*rng.Float64()), Visib: new(10.0),
				PlaneAge: new(20 * rng.Float64()), Seats: new(int64(50 + rng.IntN(200))),
			}
			logOdds := -2.0
			if rng.IntN(4) == 0 {
				in.Precip, in.Visib = new(0.2+0.2*rng.Float64()), new(1+rng.Float64())
				logOdds += 3
				if in.SchedMinute > 17*60 {
					logOdds++
				}
			}
			if rng.IntN(20) == 0 {
				in.Temp, in.Dewp, in.WindSpeed = nil, nil, nil
			}
			r.in = append(r.in, in)
			r.late = append(r.late, rng.Float64() < 1/(1+math.Exp(-logOdds)))
		}
	}
	return r
}

func TestFit(t *testing.T) {
	all := year(1, 150)
	var steps []string
	file, err := fit(t.Context(), all, few, func(s string) { steps = append(steps, s) })
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != len(few)+1 {
		t.Errorf("%d steps told", len(steps))
	}
	if auc := file.Provenance.Judged.Model.AUC; auc < 0.7 {
		t.Errorf("AUC %v on a problem that can be learned", auc)
	}
	text, err := encode(file)
	if err != nil {
		t.Fatal(err)
	}
	scorer, err := flights.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if scorer.FirstJudgedMonth != 7 {
		t.Errorf("first judged month %d", scorer.FirstJudgedMonth)
	}
	var printed strings.Builder
	report(&printed, file)
	for _, want := range []string{"base rate", "model, alert", "baseline, alert", "model AUC"} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &printed)
		}
	}
}

// TestJudgedMonthsChangeNothing: only the judgement may depend on them. Equal bytes also say that the fit is deterministic.
func TestJudgedMonthsChangeNothing(t *testing.T) {
	all := year(1, 150)
	one, err := fit(t.Context(), all, few, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for i := range all.in {
		if slices.Contains(judgedMonths, all.in[i].Month) {
			all.late[i] = !all.late[i]
			all.in[i].Carrier = "XX"
		}
	}
	two, err := fit(t.Context(), all, few, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*flights.File{one, two} {
		f.Provenance.Judged, f.Provenance.ByMonth = flights.Comparison{}, nil
	}
	a, err := encode(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := encode(two)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("the judged months changed the model")
	}
}

// TestPurify: moving means between terms changes no fitted flight's score, and leaves pairs without means to move.
func TestPurify(t *testing.T) {
	r := year(2, 100)
	m, err := fitAdditive(r, r.vocabulary(), shrinkage{main: 10, rare: 10})
	if err != nil {
		t.Fatal(err)
	}
	columns := m.encoder.Columns()
	for _, column := range columns {
		if column.MainA < 0 {
			continue
		}
		first, second := columns[column.MainA], columns[column.MainB]
		if first.MainA != -1 || second.MainA != -1 || column.Level != first.Level+" "+second.Level {
			t.Fatalf("%s %s points to %s %s and %s %s", column.Term, column.Level, first.Term, first.Level, second.Term, second.Level)
		}
	}
	// Put into a pair what belongs to the terms of its own.
	for c, column := range columns {
		if column.Term == "rain x part of day" && m.seen[c] > 0 {
			m.weights[c] += 0.1 * float64(c%7)
		}
	}
	shifted := r.scores(m.probability)
	m.purify()
	for i, s := range r.scores(m.probability) {
		if math.Abs(s-shifted[i]) > 1e-9 {
			t.Fatalf("flight %d: score %v, was %v", i, s, shifted[i])
		}
	}
	for _, term := range []string{"rain x part of day", "carrier x origin"} {
		sum := map[int]float64{}
		for c, column := range columns {
			if column.Term == term {
				sum[column.MainA] += m.weights[c] * float64(m.seen[c])
				sum[-1-column.MainB] += m.weights[c] * float64(m.seen[c])
			}
		}
		for main, s := range sum {
			if math.Abs(s) > 1e-5 {
				t.Errorf("%s keeps %v of %d", term, s, main)
			}
		}
	}
}

func TestFitSaysWhatIsMissing(t *testing.T) {
	if _, err := fit(t.Context(), &records{}, few, func(string) {}); err == nil {
		t.Error("no records, no error")
	}
	noise := year(3, 100)
	for i := range noise.late {
		noise.late[i] = i%50 == 0
	}
	if _, err := fit(t.Context(), noise, few, func(string) {}); err == nil || !strings.Contains(err.Error(), "precision") {
		t.Errorf("nothing can be learned, but error %v", err)
	}
}
