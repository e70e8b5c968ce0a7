package flights

import (
	"math"
	"strconv"
)

// variable is one input as a small set of levels. Level 0 is always "unknown": a missing value, a code that was not
// among the fitted flights. Its coefficient stays 0 unless such flights were fitted.
type variable int

const (
	noVariable variable = iota
	hourOfDay
	weekday
	partOfDay
	carrier
	origin
	dest
	rain
	visibility
	windSpeed
	windFrom
	temperature
	dewPoint
	humidity
	pressure
	planeAge
	seats
	distance
	numVariables
)

const unknown = "unknown"

// Lower edges of the bins above the first. They were set by the meaning of the values (a trace of rain, instrument flight
// rules below 3 miles, a fresh breeze), not searched.
var (
	rainEdges        = []float64{0.01, 0.03, 0.06, 0.15, 0.30}
	visibilityEdges  = []float64{0.5, 1, 2, 3, 5, 8, 10}
	windEdges        = []float64{4, 8, 12, 16, 20, 25, 30}
	temperatureEdges = []float64{25, 32, 40, 50, 60, 70, 80, 90}
	dewPointEdges    = []float64{10, 20, 30, 40, 50, 55, 60, 65, 70}
	humidityEdges    = []float64{35, 50, 65, 75, 85, 92}
	pressureEdges    = []float64{1000, 1005, 1010, 1014, 1018, 1022, 1027}
	planeAgeEdges    = []float64{3, 6, 9, 12, 15, 20, 25}
	seatsEdges       = []float64{40, 60, 90, 110, 150, 190, 250}
	distanceEdges    = []float64{250, 400, 600, 800, 1000, 1400, 2000}
)

// partOfDayEdges are local hours.
var partOfDayEdges = []float64{7, 10, 13, 16, 19, 21}

var compass = [...]string{unknown, "calm", "N", "NE", "E", "SE", "S", "SW", "W", "NW"}

var weekdays = [...]string{unknown, "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// fastestWind is above any hourly wind at an airport: the weather records of 2013 have one of 1048 mph.
const fastestWind = 200

// bin returns 1 + the number of edges that are at or below the value, 0 for nil and NaN.
func bin(value *float64, edges []float64) int {
	if value == nil || math.IsNaN(*value) {
		return 0
	}
	level := 1
	for _, e := range edges {
		if *value < e {
			break
		}
		level++
	}
	return level
}

// Vocabulary holds the codes that were among the fitted flights, in the order of their levels, from 1.
type Vocabulary struct {
	Carriers []string `json:"carriers"`
	Origins  []string `json:"origins"`
	Dests    []string `json:"dests"`
}

// windLevel is the eighth of the compass the wind comes from; calm below 4 mph, where the direction says nothing.
func windLevel(in *In) int {
	speed := plausibleWind(in.WindSpeed)
	switch {
	case speed == nil:
		return 0
	case *speed < windEdges[0]:
		return 1
	case in.WindDir == nil || !(*in.WindDir >= 0 && *in.WindDir <= 360):
		return 0
	}
	return 2 + int(math.Round(*in.WindDir/45))%8
}

func plausibleWind(speed *float64) *float64 {
	if speed == nil || !(*speed >= 0 && *speed < fastestWind) {
		return nil
	}
	return speed
}

// levels reads all variables of a valid departure.
func (e *Encoder) levels(in *In, to *[numVariables]int) {
	hour := float64(in.SchedMinute / 60)
	to[hourOfDay] = 1 + int(hour)
	to[weekday] = int(in.Weekday)
	to[partOfDay] = bin(&hour, partOfDayEdges)
	to[carrier] = e.codes[carrier][in.Carrier]
	to[origin] = e.codes[origin][in.Origin]
	to[dest] = e.codes[dest][in.Dest]
	to[rain] = bin(in.Precip, rainEdges)
	to[visibility] = bin(in.Visib, visibilityEdges)
	to[windSpeed] = bin(plausibleWind(in.WindSpeed), windEdges)
	to[windFrom] = windLevel(in)
	to[temperature] = bin(in.Temp, temperatureEdges)
	to[dewPoint] = bin(in.Dewp, dewPointEdges)
	to[humidity] = bin(in.Humid, humidityEdges)
	to[pressure] = bin(in.Pressure, pressureEdges)
	to[planeAge] = bin(in.PlaneAge, planeAgeEdges)
	to[seats] = 0
	if in.Seats != nil {
		n := float64(*in.Seats)
		to[seats] = bin(&n, seatsEdges)
	}
	to[distance] = bin(&in.Distance, distanceEdges)
}

// labels names the levels of a variable, in order.
func labels(v variable, words Vocabulary) []string {
	switch v {
	case hourOfDay:
		hours := []string{unknown}
		for h := range 24 {
			hours = append(hours, strconv.Itoa(h))
		}
		return hours
	case weekday:
		return weekdays[:]
	case partOfDay:
		return ranges(partOfDayEdges)
	case carrier:
		return append([]string{unknown}, words.Carriers...)
	case origin:
		return append([]string{unknown}, words.Origins...)
	case dest:
		return append([]string{unknown}, words.Dests...)
	case rain:
		return ranges(rainEdges)
	case visibility:
		return ranges(visibilityEdges)
	case windSpeed:
		return ranges(windEdges)
	case windFrom:
		return compass[:]
	case temperature:
		return ranges(temperatureEdges)
	case dewPoint:
		return ranges(dewPointEdges)
	case humidity:
		return ranges(humidityEdges)
	case pressure:
		return ranges(pressureEdges)
	case planeAge:
		return ranges(planeAgeEdges)
	case seats:
		return ranges(seatsEdges)
	case distance:
		return ranges(distanceEdges)
	default:
		return []string{""}
	}
}

func ranges(edges []float64) []string {
	text := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	names := []string{unknown, "<" + text(edges[0])}
	for i := 1; i < len(edges); i++ {
		names = append(names, text(edges[i-1])+".."+text(edges[i]))
	}
	return append(names, ">="+text(edges[len(edges)-1]))
}
