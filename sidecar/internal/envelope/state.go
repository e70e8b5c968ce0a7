package envelope

import (
	"fmt"
	"math"
	"strconv"

	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// State says which state a call is for.
type State struct {
	Session  string // empty = not given
	Key      string // may be empty
	KeyGroup uint16
	Epoch    uint64
	// Watermark in ms since 1970; math.MinInt64 = not given.
	Watermark int64
	// LowWatermark is that of the oldest request without an answer; the same as Watermark if it was not given.
	LowWatermark int64
}

// Origin says where in Flink an event comes from.
type Origin struct {
	Job     string
	Subtask int
}

// MaxSubtask is one less than Flink's highest parallelism.
const MaxSubtask = MaxKeyGroup

// MaxKeyGroup is one less than Flink's highest max parallelism.
const MaxKeyGroup = 1<<15 - 1

// state reads {"key": string, "watermark"?: int64} or, of a session, {"session": string, "epoch": uint64, "key_group": uint,
// "key": string, "watermark"?: int64, "low_watermark"?: int64}. null is as good as leaving the key out.
func (d *reader) state(at string) (*State, error) {
	if d.dec.PeekKind() == 'n' {
		return nil, d.dec.SkipValue()
	}
	s := State{Watermark: math.MinInt64}
	var key, keyGroup, epoch, low bool
	ok, err := d.object(at+".", func(name []byte) (bool, error) {
		var err error
		switch string(name) {
		case "session":
			s.Session, err = d.text(at + ".session")
		case "key":
			key = true
			s.Key, err = d.anyText(at + ".key")
		case "key_group":
			var n int64
			keyGroup = true
			n, err = d.integer(at+".key_group", 0, MaxKeyGroup)
			s.KeyGroup = uint16(n) //nolint:gosec // at most MaxKeyGroup
		case "epoch":
			var n int64
			epoch = true
			n, err = d.integer(at+".epoch", 0, math.MaxInt64) // Flink's checkpoint ids are of type long
			s.Epoch = uint64(n)                               //nolint:gosec // not negative
		case "watermark":
			if d.dec.PeekKind() == 'n' {
				return true, d.dec.SkipValue()
			}
			s.Watermark, err = d.integer(at+".watermark", math.MinInt64, math.MaxInt64)
		case "low_watermark":
			if d.dec.PeekKind() == 'n' {
				return true, d.dec.SkipValue()
			}
			low = true
			s.LowWatermark, err = d.integer(at+".low_watermark", math.MinInt64, math.MaxInt64)
		default:
			return false, nil
		}
		return true, err
	}, stateKeys)
	if !ok || err != nil {
		return nil, err
	}
	if !low {
		s.LowWatermark = s.Watermark
	}
	for _, v := range CheckState(s.Session != "", key, keyGroup, epoch) {
		d.violate(at+"."+v.Field, "%s", v.Message)
	}
	return &s, nil
}

// origin reads {"job": string, "subtask"?: uint}. null is as good as leaving the key out.
func (d *reader) origin(at string) (o Origin, err error) {
	if d.dec.PeekKind() == 'n' {
		return o, d.dec.SkipValue()
	}
	ok, err := d.object(at+".", func(name []byte) (bool, error) {
		var err error
		switch string(name) {
		case "job":
			o.Job, err = d.id(at + ".job")
		case "subtask":
			var n int64
			n, err = d.integer(at+".subtask", 0, MaxSubtask)
			o.Subtask = int(n)
		default:
			return false, nil
		}
		return true, err
	}, originKeys)
	if ok && err == nil && o.Job == "" {
		d.violate(at+".job", "is missing")
	}
	return o, err
}

// CheckState says what is wrong with the parts of a state that were given: the fields are named as those of [State] in JSON.
func CheckState(session, key, keyGroup, epoch bool) []problem.Violation {
	var wrong []problem.Violation
	for _, needed := range []struct {
		name            string
		there, expected bool
	}{{"key", key, true}, {"key_group", keyGroup, session}, {"epoch", epoch, session}} {
		switch {
		case needed.expected && !needed.there:
			wrong = append(wrong, problem.Violation{Field: needed.name, Message: "is missing"})
		case needed.there && !needed.expected:
			wrong = append(wrong, problem.Violation{Field: needed.name, Message: "is of a session, and there is none"})
		}
	}
	return wrong
}

// MissingID is what is wrong with a request of a session that has no id.
const MissingID = "is missing: a request of a session needs it"

// OutOfRange is what is wrong with a number of a state that is none of least to most.
func OutOfRange(number string, least, most int64) string {
	return fmt.Sprintf("is %s, must be a whole number from %d to %d", clip(number), least, most)
}

// anyText reads a string, which may be empty.
func (d *reader) anyText(field string) (string, error) {
	if kind := d.dec.PeekKind(); kind != '"' {
		return "", d.wrongKind(field, kind, "a string")
	}
	value, err := d.dec.ReadValue()
	if err != nil {
		return "", err
	}
	text, err := unquote(value)
	return string(text), err
}

// integer reads a whole number, written as one.
func (d *reader) integer(field string, least, most int64) (int64, error) {
	if kind := d.dec.PeekKind(); kind != '0' {
		return 0, d.wrongKind(field, kind, "a whole number")
	}
	value, err := d.dec.ReadValue()
	if err != nil {
		return 0, err
	}
	n, wrong := strconv.ParseInt(string(value), 10, 64)
	if wrong != nil || n < least || n > most {
		d.violate(field, "%s", OutOfRange(string(value), least, most))
		return 0, nil
	}
	return n, nil
}
