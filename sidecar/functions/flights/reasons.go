package flights

import (
	"math"
	"strconv"
)

const (
	maxReasons = 3
	// A contribution below 0.10 changes the odds by less than a tenth: not worth a sentence.
	minContribution = 0.10
)

// reasons names the topics that contributed most in the direction of the decision: what raised the risk of an alert,
// what lowered the risk of a pass. The number at the end of each is its share of the log-odds, against the average
// flight.
func reasons(in *In, parts *[numTopics]float64, raised bool) []string {
	sign := 1.0
	if !raised {
		sign = -1
	}
	var used [numTopics]bool
	var found []string
	for range maxReasons {
		best, at := minContribution, topic(-1)
		for t, part := range parts {
			if !used[t] && sign*part >= best {
				best, at = sign*part, topic(t)
			}
		}
		if at < 0 {
			break
		}
		used[at] = true
		if found == nil {
			found = make([]string, 0, maxReasons)
		}
		found = append(found, phrase(in, at, parts[at]))
	}
	return found
}

// phrase is stable: words and units never change, only the numbers do.
func phrase(in *In, t topic, part float64) string {
	var space [96]byte
	b := space[:0]
	switch t {
	case topicTime:
		b = append(b, weekdays[in.Weekday]...)
		b = append(b, " departure "...)
		b = twoDigits(b, in.SchedMinute/60)
		b = append(b, ':')
		b = twoDigits(b, in.SchedMinute%60)
	case topicCarrier:
		b = append(b, "carrier "...)
		b = code(b, in.Carrier)
		b = append(b, " at "...)
		b = code(b, in.Origin)
	case topicOrigin:
		b = append(b, "origin "...)
		b = code(b, in.Origin)
	case topicRoute:
		b = append(b, "route to "...)
		b = code(b, in.Dest)
		b = number(b, ", ", &in.Distance, 0, " mi")
	case topicSky:
		if in.Precip == nil && in.Visib == nil {
			b = append(b, "rain and visibility unknown"...)
			break
		}
		b = number(b, "rain ", in.Precip, 2, " in")
		b = number(b, ", visibility ", in.Visib, -1, " mi")
	case topicWind:
		b = number(b, "wind ", in.WindSpeed, 0, " mph")
		if in.WindSpeed != nil && in.WindDir != nil {
			b = number(b, " from ", in.WindDir, 0, "°")
		}
	case topicAir:
		if in.Temp == nil && in.Dewp == nil && in.Pressure == nil {
			b = append(b, "air unknown"...)
			break
		}
		b = number(b, "air ", in.Temp, 0, " °F")
		b = number(b, ", dew point ", in.Dewp, 0, " °F")
		b = number(b, ", pressure ", in.Pressure, 0, " hPa")
	case topicPlane:
		if in.PlaneAge == nil && in.Seats == nil {
			b = append(b, "plane unknown"...)
			break
		}
		b = number(b, "plane of ", in.PlaneAge, 0, " years")
		if in.Seats != nil {
			b = append(b, ", "...)
			b = strconv.AppendInt(b, *in.Seats, 10)
			b = append(b, " seats"...)
		}
	}
	b = append(b, ": "...)
	if part >= 0 {
		b = append(b, '+')
	}
	return string(strconv.AppendFloat(b, part, 'f', 2, 64))
}

func number(b []byte, before string, value *float64, digits int, unit string) []byte {
	b = append(b, before...)
	if value == nil || math.IsNaN(*value) {
		return append(b, unknown...)
	}
	if math.Abs(*value) < 1e6 {
		b = strconv.AppendFloat(b, *value, 'f', digits, 64)
	} else {
		b = strconv.AppendFloat(b, *value, 'g', 3, 64) // nonsense, but short
	}
	return append(b, unit...)
}

func twoDigits(b []byte, n int32) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// code keeps a caller's long text out of the reasons; airport and airline codes have 2 to 4 letters.
func code(b []byte, text string) []byte {
	if len(text) > 8 {
		return append(b, unknown...)
	}
	return append(b, text...)
}
