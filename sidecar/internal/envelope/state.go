package envelope

import (
	"math"
	"strconv"
)

// State says which state a call is for.
type State struct {
	Session  string // empty = not given
	Key      string // may be empty
	KeyGroup uint16
	Epoch    uint64
	// Watermark in ms since 1970; math.MinInt64 = not given.
	Watermark int64
}

// maxKeyGroup is one less than Flink's highest max parallelism.
const maxKeyGroup = 1<<15 - 1

// state reads {"key": string, "watermark"?: int64} or, of a session, {"session": string, "epoch": uint64, "key_group": uint,
// "key": string, "watermark"?: int64}. null is as good as leaving the key out.
func (d *reader) state(at string) (*State, error) {
	if d.dec.PeekKind() == 'n' {
		return nil, d.dec.SkipValue()
	}
	s := State{Watermark: math.MinInt64}
	var key, keyGroup, epoch bool
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
			n, err = d.integer(at+".key_group", 0, maxKeyGroup)
			s.KeyGroup = uint16(n) //nolint:gosec // at most maxKeyGroup
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
		default:
			return false, nil
		}
		return true, err
	}, stateKeys)
	if !ok || err != nil {
		return nil, err
	}
	session := s.Session != ""
	for _, needed := range []struct {
		name            string
		there, expected bool
	}{{"key", key, true}, {"key_group", keyGroup, session}, {"epoch", epoch, session}} {
		switch {
		case needed.expected && !needed.there:
			d.violate(at+"."+needed.name, "is missing")
		case needed.there && !needed.expected:
			d.violate(at+"."+needed.name, "is of a session, and there is none")
		}
	}
	return &s, nil
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
		d.violate(field, "is %s, must be a whole number from %d to %d", clip(string(value)), least, most)
		return 0, nil
	}
	return n, nil
}
