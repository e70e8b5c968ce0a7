package udf

import (
	"fmt"
	"time"
)

// Date is a day of the calendar, SQL's DATE: days since 1970-01-01, which is 0. Days before are negative.
type Date int32

// Timestamp is a date and a time of day without a zone, SQL's TIMESTAMP(9). Its Time is in UTC: what a clock on the wall
// shows is what Time shows there. An instant of the world's time line is a plain [time.Time].
type Timestamp struct{ time.Time }

// TimeOfDay is a time of day, SQL's TIME(3): milliseconds since midnight, 0 to 86,399,999.
type TimeOfDay int32

// Months is a span of years and months, SQL's INTERVAL YEAR TO MONTH. Spans of days and seconds are a [time.Duration].
type Months int32

const (
	secondsADay = 24 * 60 * 60
	msADay      = secondsADay * 1000
)

// DateOf returns the day that the clock of t's zone shows.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return NewDate(year, month, day)
}

// NewDate returns the day; day and month beyond their range count on, as in [time.Date].
func NewDate(year int, month time.Month, day int) Date {
	return Date(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsADay) // midnights divide exactly
}

// ParseDate reads a day such as 2026-11-23.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date, want one such as 2026-11-23", text)
	}
	return DateOf(t), nil
}

// Time returns the midnight, in UTC, at which the day begins.
func (d Date) Time() time.Time { return time.Unix(int64(d)*secondsADay, 0).UTC() }

// String is the day as 2026-11-23.
func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// MarshalText is [Date.String].
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is [ParseDate].
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}

// TimestampOf returns what the clock of t's zone shows, without the zone.
func TimestampOf(t time.Time) Timestamp {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return Timestamp{time.Date(year, month, day, hour, minute, second, t.Nanosecond(), time.UTC)}
}

// NewTimestamp returns a date and time; parts beyond their range count on, as in [time.Date].
func NewTimestamp(year int, month time.Month, day, hour, minute, second, nanosecond int) Timestamp {
	return Timestamp{time.Date(year, month, day, hour, minute, second, nanosecond, time.UTC)}
}

const timestampLayout = "2006-01-02T15:04:05.999999999"

// ParseTimestamp reads a date and time such as 2026-11-23T14:05:00.5; a space may stand for the T.
func ParseTimestamp(text string) (Timestamp, error) {
	for _, layout := range []string{timestampLayout, "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return Timestamp{t}, nil
		}
	}
	return Timestamp{}, fmt.Errorf("%q is not a date and time without a zone, want one such as 2026-11-23T14:05:00.5", text)
}

// String is the date and time as 2026-11-23T14:05:00.5.
func (t Timestamp) String() string { return t.UTC().Format(timestampLayout) }

// MarshalText writes the date and time as [Timestamp.String] does, without the zone that a time.Time has.
func (t Timestamp) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is [ParseTimestamp].
func (t *Timestamp) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTimestamp(string(text))
	return err
}

// MarshalJSON writes the date and time as a string; without it the one of the embedded time.Time would be used.
func (t Timestamp) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Timestamp) UnmarshalJSON(data []byte) (err error) {
	if string(data) == "null" {
		return nil
	}
	if len(data) < 2 || data[0] != '"' {
		return fmt.Errorf("%s is not a date and time, want a string such as \"2026-11-23T14:05:00.5\"", clip(string(data)))
	}
	return t.UnmarshalText(data[1 : len(data)-1])
}

// TimeOfDayOf returns the time of day that the clock of t's zone shows, in whole milliseconds.
func TimeOfDayOf(t time.Time) TimeOfDay {
	hour, minute, second := t.Clock()
	return TimeOfDay(((hour*60+minute)*60+second)*1000 + t.Nanosecond()/1e6)
}

// ParseTimeOfDay reads a time of day such as 14:05:00 or 14:05:00.125.
func ParseTimeOfDay(text string) (TimeOfDay, error) {
	t, err := time.Parse("15:04:05", text)
	if err != nil || t.Nanosecond()%1e6 != 0 {
		return 0, fmt.Errorf("%q is not a time of day in milliseconds, want one such as 14:05:00.125", text)
	}
	return TimeOfDayOf(t), nil
}

// Duration returns the time since midnight.
func (t TimeOfDay) Duration() time.Duration { return time.Duration(t) * time.Millisecond }

// String is the time of day as 14:05:00.125.
func (t TimeOfDay) String() string { return time.UnixMilli(int64(t)).UTC().Format("15:04:05.999") }

// MarshalText is [TimeOfDay.String].
func (t TimeOfDay) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is [ParseTimeOfDay].
func (t *TimeOfDay) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTimeOfDay(string(text))
	return err
}

// String is the span as 2 years 3 months.
func (m Months) String() string { return fmt.Sprintf("%d years %d months", m/12, m%12) }
