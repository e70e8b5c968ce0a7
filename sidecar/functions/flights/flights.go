// Package flights estimates, at the scheduled departure of a flight from New York, the risk that it arrives 30 or more
// minutes late.
//
// The model is an additive logistic regression over binned inputs: each part of the sum can be named in the reasons, and
// a decision is a few dozen table look-ups. Its coefficients are in coefficients.json, which the command in the
// sub-package fit makes from the 336,776 departures of 2013; the file says from which months, and how well it does on
// the months it has not seen. Sub-package dataset prepares the records, judge scores the scores.
//
// Nothing that is only known after the scheduled departure is an input: not the actual departure, not the time in the
// air, no weather of the hour to come.
package flights

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// In is a departure and the weather at its airport. Pointers are nil for what is unknown. The json names are those of
// the prepared data file and equal the arguments' names.
type In struct {
	ScheduledDeparture int64   `json:"scheduled_departure"` // ms since 1970
	SchedMinute        int32   `json:"sched_minute"`        // local minute of the day, 0 .. 1439
	Month              int32   `json:"month"`               // local, 1 .. 12
	Weekday            int32   `json:"weekday"`             // local, 1 (Monday) .. 7 (Sunday), as ISO 8601
	Carrier            string  `json:"carrier"`             // IATA code
	Origin             string  `json:"origin"`              // FAA code: EWR, JFK or LGA
	Dest               string  `json:"dest"`                // FAA code
	Distance           float64 `json:"distance"`            // miles

	Tailnum  *string  `json:"tailnum"`
	PlaneAge *float64 `json:"plane_age"` // years
	Seats    *int64   `json:"seats"`

	// The last complete hour of weather at the origin before the hour of departure.
	Temp      *float64 `json:"temp"`       // °F
	Dewp      *float64 `json:"dewp"`       // °F
	Humid     *float64 `json:"humid"`      // %
	WindDir   *float64 `json:"wind_dir"`   // degrees, where it comes from
	WindSpeed *float64 `json:"wind_speed"` // mph
	WindGust  *float64 `json:"wind_gust"`  // mph
	Precip    *float64 `json:"precip"`     // inches in the hour
	Pressure  *float64 `json:"pressure"`   // hPa at sea level
	Visib     *float64 `json:"visib"`      // miles
}

// Out is the estimate: the probability of arriving 30 or more minutes late, what to do about it, and why.
type Out struct {
	Score    float64  `json:"score"`
	Decision string   `json:"decision"`
	Reasons  []string `json:"reasons"`
}

// The decisions.
const (
	Pass   = "pass"
	Review = "review"
	Alert  = "alert"
)

// Late is the label: minutes of arrival delay from which a flight counts as late.
const Late = 30

// embedded parses the file that is part of the program, once.
var embedded = sync.OnceValues(func() (*Scorer, error) { return Parse(coefficientsFile) })

// Model returns the scorer of the embedded coefficients. They are part of the program and tested with it: it panics if
// they are broken, which only a build from an edited file can be.
func Model() *Scorer {
	s, err := embedded()
	if err != nil {
		panic(err)
	}
	return s
}

// BaselineScore is the estimate of the plain logistic regression that the model is compared with; its threshold is
// [Scorer.BaselineThreshold].
func BaselineScore(in In) float64 { return Model().Baseline(&in) }

// Register adds the function to a registry.
func Register(r *udf.Registry) {
	scorer, err := embedded()
	if err != nil {
		r.Fail("flights", err)
		return
	}
	udf.Scalar(r, "flights", func(_ context.Context, in In) (Out, error) { return scorer.Score(&in) },
		udf.Doc("risk, at its scheduled departure from New York, that a flight arrives 30 or more minutes late"),
		udf.Deterministic(true))
}

// Score estimates one departure. An error says which input cannot be; codes that were not among the fitted flights and
// missing weather are no errors, they count as average.
func (s *Scorer) Score(in *In) (Out, error) {
	if err := in.validate(); err != nil {
		return Out{}, err
	}
	var parts [numTopics]float64
	logOdds := s.sum(in, &parts)
	out := Out{Score: sigmoid(logOdds), Decision: Pass}
	switch {
	case out.Score >= s.Threshold:
		out.Decision = Alert
	case out.Score >= s.ReviewThreshold:
		out.Decision = Review
	}
	out.Reasons = reasons(in, &parts, out.Decision != Pass)
	return out, nil
}

func (in *In) validate() error {
	switch {
	case in.SchedMinute < 0 || in.SchedMinute >= 24*60:
		return fmt.Errorf("sched_minute %d is not a minute of the day; send 0 to 1439, local time", in.SchedMinute)
	case in.Month < 1 || in.Month > 12:
		return fmt.Errorf("month %d is not a month; send 1 to 12", in.Month)
	case in.Weekday < 1 || in.Weekday > 7:
		return fmt.Errorf("weekday %d is not a day of the week; send 1 (Monday) to 7 (Sunday)", in.Weekday)
	case !(in.Distance >= 0) || math.IsInf(in.Distance, 1):
		return fmt.Errorf("distance %v is not a distance; send miles", in.Distance)
	}
	return nil
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
