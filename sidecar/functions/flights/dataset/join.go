package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/drey-flink/drey/sidecar/functions/flights"
)

// dataYear is the year of all records; the age of a plane counts to it.
const dataYear = 2013

type tables struct {
	flights []flightRecord
	weather []weatherRecord
	planes  []planeRecord
}

// station is a place and a UTC hour.
type station struct {
	origin string
	hour   int64 // seconds since 1970
}

// join makes the rows, in the order of scheduled departure; flights scheduled for the same minute stay in the order of
// the source.
func (t *tables) join() ([]Row, error) {
	if len(t.flights) == 0 || len(t.weather) == 0 || len(t.planes) == 0 {
		return nil, errors.New("it lacks one of the tables flights, weather, planes")
	}
	weather := make(map[station]*weatherRecord, len(t.weather))
	for i := range t.weather {
		w := &t.weather[i]
		hour, err := time.Parse(time.RFC3339, w.TimeHour)
		if err != nil {
			return nil, fmt.Errorf("weather row %d: %w", i+1, err)
		}
		weather[station{w.Origin, hour.Unix()}] = w
	}
	planes := make(map[string]*planeRecord, len(t.planes))
	for i := range t.planes {
		planes[t.planes[i].Tailnum] = &t.planes[i]
	}
	rows := make([]Row, len(t.flights))
	for i := range t.flights {
		f, row := &t.flights[i], &rows[i]
		hour, err := f.utcHour()
		if err != nil {
			return nil, fmt.Errorf("flights row %d: %w", i+1, err)
		}
		f.fill(row, hour)
		// The hour before: see the package comment.
		row.setWeather(weather[station{f.Origin, hour.Add(-time.Hour).Unix()}])
		if f.Tailnum != nil {
			row.setPlane(planes[*f.Tailnum])
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.ScheduledDeparture, b.ScheduledDeparture) })
	for i := range rows {
		rows[i].ID = fmt.Sprintf("f-%06d", i+1)
	}
	return rows, nil
}

// utcHour checks that time_hour is the hour of the scheduled departure, in UTC: New York is 4 or 5 hours behind.
func (f *flightRecord) utcHour() (time.Time, error) {
	hour, err := time.Parse(time.RFC3339, f.TimeHour)
	if err != nil {
		return time.Time{}, err
	}
	local := time.Date(f.Year, time.Month(f.Month), f.Day, f.Hour, 0, 0, 0, time.UTC)
	if behind := hour.Sub(local); behind != 4*time.Hour && behind != 5*time.Hour {
		return time.Time{}, fmt.Errorf("time_hour %s is %v from the local hour %s, want 4h or 5h", f.TimeHour, behind, local.Format(time.DateTime))
	}
	return hour, nil
}

func (f *flightRecord) fill(row *Row, hour time.Time) {
	date := time.Date(f.Year, time.Month(f.Month), f.Day, 0, 0, 0, 0, time.UTC)
	weekday := int32(date.Weekday())
	if weekday == 0 {
		weekday = 7 // ISO 8601: Sunday is the last day
	}
	row.In = flights.In{
		ScheduledDeparture: hour.Add(time.Duration(f.Minute) * time.Minute).UnixMilli(),
		SchedMinute:        int32(f.Hour*60 + f.Minute),
		Month:              int32(f.Month),
		Weekday:            weekday,
		Carrier:            f.Carrier, Origin: f.Origin, Dest: f.Dest,
		Distance: f.Distance,
		Tailnum:  f.Tailnum,
	}
	row.Flight, row.ArrDelay = f.Flight, f.ArrDelay
}

func (r *Row) setWeather(w *weatherRecord) {
	if w == nil {
		return
	}
	r.Temp, r.Dewp, r.Humid = w.Temp, w.Dewp, w.Humid
	r.WindDir, r.WindSpeed, r.WindGust = w.WindDir, w.WindSpeed, w.WindGust
	r.Precip, r.Pressure, r.Visib = w.Precip, w.Pressure, w.Visib
}

func (r *Row) setPlane(p *planeRecord) {
	if p == nil {
		return
	}
	if p.Year != nil {
		r.PlaneAge = new(dataYear - *p.Year)
	}
	r.Seats = p.Seats
}
