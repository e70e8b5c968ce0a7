package flights

// topic is what a reason speaks of: terms of one topic are added up before they are named.
type topic int

const (
	topicTime topic = iota
	topicCarrier
	topicOrigin
	topicRoute
	topicSky
	topicWind
	topicAir
	topicPlane
	numTopics
)

// term is one summand: a coefficient for each level of a variable, or for each pair of levels of two.
type term struct {
	name  string
	a, b  variable // b is noVariable for a term of one variable
	topic topic
	// rare terms have many levels with few flights each, and are shrunk harder.
	rare bool
}

// terms are all summands. Each variable of a pair has a term of its own too: what a pair says on average over one of its
// variables is moved there by the fit, so that a reason about rain does not speak of the evening.
var terms = [...]term{
	{name: "hour", a: hourOfDay, topic: topicTime},
	{name: "part of day", a: partOfDay, topic: topicTime},
	{name: "weekday", a: weekday, topic: topicTime},
	{name: "weekday x part of day", a: weekday, b: partOfDay, topic: topicTime, rare: true},
	{name: "origin x hour", a: origin, b: hourOfDay, topic: topicTime, rare: true},
	{name: "carrier", a: carrier, topic: topicCarrier},
	{name: "carrier x origin", a: carrier, b: origin, topic: topicCarrier, rare: true},
	{name: "carrier x part of day", a: carrier, b: partOfDay, topic: topicCarrier, rare: true},
	{name: "origin", a: origin, topic: topicOrigin},
	{name: "dest", a: dest, topic: topicRoute, rare: true},
	{name: "distance", a: distance, topic: topicRoute},
	{name: "rain", a: rain, topic: topicSky},
	{name: "visibility", a: visibility, topic: topicSky},
	{name: "rain x part of day", a: rain, b: partOfDay, topic: topicSky, rare: true},
	{name: "visibility x origin", a: visibility, b: origin, topic: topicSky, rare: true},
	{name: "wind", a: windSpeed, topic: topicWind},
	{name: "wind direction", a: windFrom, topic: topicWind},
	{name: "wind direction x origin", a: windFrom, b: origin, topic: topicWind, rare: true},
	{name: "temperature", a: temperature, topic: topicAir},
	{name: "dew point", a: dewPoint, topic: topicAir},
	{name: "dew point x part of day", a: dewPoint, b: partOfDay, topic: topicAir, rare: true},
	{name: "humidity", a: humidity, topic: topicAir},
	{name: "pressure", a: pressure, topic: topicAir},
	{name: "plane age", a: planeAge, topic: topicPlane},
	{name: "seats", a: seats, topic: topicPlane},
}

// NumTerms is the number of summands besides the intercept.
const NumTerms = len(terms)

// Column is one coefficient: a level, or a pair of levels, of a term.
type Column struct {
	Term, Level string
	Rare        bool
	// MainA and MainB are, for a pair, the columns of its two levels in the terms of their own; else -1.
	MainA, MainB int
}

// Encoder turns departures into the columns of the model. It is immutable.
type Encoder struct {
	codes  [numVariables]map[string]int
	width  [NumTerms]int // levels of the term's second variable
	offset [NumTerms]int // first column of the term
	column []Column
}

// NewEncoder returns the encoder for a vocabulary; the fit and the scoring must use the same.
func NewEncoder(words Vocabulary) *Encoder {
	e := &Encoder{}
	for v, codes := range map[variable][]string{carrier: words.Carriers, origin: words.Origins, dest: words.Dests} {
		e.codes[v] = make(map[string]int, len(codes))
		for i, code := range codes {
			e.codes[v][code] = i + 1
		}
	}
	var main [numVariables]int // first column of the variable's own term
	for i, t := range terms {
		first, second := labels(t.a, words), labels(t.b, words)
		e.offset[i], e.width[i] = len(e.column), len(second)
		if t.b == noVariable {
			main[t.a] = len(e.column)
		}
		for _, a := range first {
			for _, b := range second {
				level := a
				if t.b != noVariable {
					level += " " + b
				}
				e.column = append(e.column, Column{Term: t.name, Level: level, Rare: t.rare, MainA: -1, MainB: -1})
			}
		}
	}
	for i, t := range terms {
		if t.b == noVariable {
			continue
		}
		for a := range labels(t.a, words) {
			for b := range e.width[i] {
				c := &e.column[e.offset[i]+a*e.width[i]+b]
				c.MainA, c.MainB = main[t.a]+a, main[t.b]+b
			}
		}
	}
	return e
}

// Columns describes all columns, in order. The caller must not change it.
func (e *Encoder) Columns() []Column { return e.column }

// Encode sets the one column of each term that a valid departure falls in.
func (e *Encoder) Encode(in *In, columns *[NumTerms]int32) {
	var level [numVariables]int
	e.levels(in, &level)
	for i := range terms {
		t := &terms[i]
		columns[i] = int32(e.offset[i] + level[t.a]*e.width[i] + level[t.b])
	}
}
