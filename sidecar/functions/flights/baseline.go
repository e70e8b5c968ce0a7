package flights

// The baseline is what one writes in an afternoon: a logistic regression on the numbers as they come, standardised, and
// the hour. It sees no codes (carrier, airports, weekday). The model has to beat it on the judged months.

// Its inputs, in order.
var baselineNames = [...]string{
	"hour", "distance", "plane_age", "seats", "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust",
	"precip", "pressure", "visib",
}

// NumBaseline is the number of the baseline's inputs.
const NumBaseline = len(baselineNames)

// BaselineInputs reads the baseline's inputs as they come; nil is unknown.
func BaselineInputs(in *In) [NumBaseline]*float64 {
	hour := float64(in.SchedMinute) / 60
	var seats *float64
	if in.Seats != nil {
		seats = new(float64(*in.Seats))
	}
	return [NumBaseline]*float64{
		&hour, &in.Distance, in.PlaneAge, seats, in.Temp, in.Dewp, in.Humid, in.WindDir, plausibleWind(in.WindSpeed),
		plausibleWind(in.WindGust), in.Precip, in.Pressure, in.Visib,
	}
}

// BaselineNames returns the names of the inputs, in order.
func BaselineNames() []string { return baselineNames[:] }

// Baseline is the estimate of the plain logistic regression. Unknown inputs count as average.
func (s *Scorer) Baseline(in *In) float64 { return s.baseline.Probability(in) }

// Probability is the baseline's estimate; there must be a weight for each of its inputs.
func (b *BaselineFile) Probability(in *In) float64 {
	logOdds := b.Intercept
	for i, value := range BaselineInputs(in) {
		if value != nil {
			w := &b.Weights[i]
			logOdds += w.Weight * (*value - w.Mean) / w.Deviation
		}
	}
	return sigmoid(logOdds)
}
