// Package envelope reads what callers send: the JSON objects around events, and the events themselves, strictly. JSON
// that two readers could understand differently (RFC 7493: a name twice, invalid UTF-8, data after the end) is refused,
// as is an unknown key: each of them is a mistake of the sender that would otherwise hide behind a wrong decision. Every
// violation is listed, not the first one; only after an error of syntax nothing more can be read.
package envelope

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// Limits of a request that need no configuration: far beyond what a record has, and low enough that no later step can be
// made slow by them (putting the keys of nested objects in order costs their size once a level).
const (
	MaxDepth   = 128
	MaxIDBytes = 256
)

// Call is one event and how it is to be answered.
type Call struct {
	ID       string // empty = not given
	Function string // empty = not given
	Event    []byte // one valid JSON value; part of the memory that was read
	State    *State // nil = not given
	Origin   Origin // zero = not given
}

// Batch is a list of calls.
type Batch struct {
	Function string // of the items that name none; empty = not given
	Items    []Call
}

// ReadCall reads {"event": any, "function"?: string, "id"?: string, "state"?: State, "origin"?: Origin}. The error is a *problem.Error; the call then holds
// what could be read, so that an answer can still name the id.
func ReadCall(body []byte) (Call, error) {
	d := newReader(body)
	defer d.release()
	call, err := d.call("")
	return call, d.finish(err)
}

// ReadBatch reads {"items": [call...], "function"?: string}. The error is a *problem.Error.
func ReadBatch(body []byte) (Batch, error) {
	d := newReader(body)
	defer d.release()
	batch, err := d.batch()
	return batch, d.finish(err)
}

// CheckEvent says whether the bytes are one JSON value under the same rules. Field names it in the error, which is a
// *problem.Error.
func CheckEvent(event []byte, field string) error {
	d := newReader(event)
	defer d.release()
	d.root = field
	_, err := d.event(field)
	return d.finish(err)
}

// CheckID says what is wrong with an id that was given, or "".
func CheckID(id string) string {
	if len(id) > MaxIDBytes {
		return fmt.Sprintf("has %d bytes, the limit is %d", len(id), MaxIDBytes)
	}
	for _, r := range id {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return "has a control character"
		}
	}
	return ""
}

// reader reads one body. Readers are pooled: their decoder keeps its buffers, and reads the body in place.
type reader struct {
	dec        *jsontext.Decoder
	in         bytes.Buffer
	body       []byte
	root       string // what the body as a whole is called in a violation
	violations []problem.Violation
}

var readers = sync.Pool{New: func() any { return &reader{dec: jsontext.NewDecoder(new(bytes.Buffer))} }}

func newReader(body []byte) *reader {
	d := readers.Get().(*reader)
	d.body, d.root, d.in = body, "body", *bytes.NewBuffer(body)
	d.dec.Reset(&d.in)
	return d
}

// release puts the reader back, holding nothing of the body.
func (d *reader) release() {
	d.body, d.violations, d.in = nil, nil, bytes.Buffer{}
	d.dec.Reset(&d.in)
	readers.Put(d)
}

func (d *reader) call(at string) (Call, error) {
	var call Call
	var event bool
	ok, err := d.object(at, func(key []byte) (bool, error) {
		var err error
		switch string(key) {
		case "event":
			event = true
			call.Event, err = d.event(at + "event")
		case "function":
			call.Function, err = d.text(at + "function")
		case "id":
			call.ID, err = d.id(at + "id")
		case "state":
			call.State, err = d.state(at + "state")
		case "origin":
			call.Origin, err = d.origin(at + "origin")
		default:
			return false, nil
		}
		return true, err
	}, callKeys)
	if ok && err == nil && !event {
		d.violate(at+"event", "is missing")
	}
	if ok && err == nil && call.State != nil && call.State.Session != "" && call.ID == "" {
		d.violate(at+"id", MissingID)
	}
	return call, err
}

func (d *reader) batch() (Batch, error) {
	var batch Batch
	var items bool
	ok, err := d.object("", func(key []byte) (bool, error) {
		var err error
		switch string(key) {
		case "items":
			items = true
			batch.Items, err = d.items()
		case "function":
			batch.Function, err = d.text("function")
		default:
			return false, nil
		}
		return true, err
	}, batchKeys)
	if ok && err == nil && !items {
		d.violate("items", "is missing")
	}
	return batch, err
}

func (d *reader) items() ([]Call, error) {
	if kind := d.dec.PeekKind(); kind != '[' {
		return nil, d.wrongKind("items", kind, "an array")
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, err
	}
	var items []Call
	for d.dec.PeekKind() != ']' {
		call, err := d.call(fmt.Sprintf("items.%d.", len(items)))
		if err != nil {
			return nil, err
		}
		items = append(items, call)
	}
	_, err := d.dec.ReadToken()
	return items, err
}

// event returns the next value as it is written.
func (d *reader) event(field string) ([]byte, error) {
	value, err := d.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(d.dec.InputOffset()) // in the body: what the decoder returned lives only until its next step
	event := d.body[end-len(value) : end]
	if deeperThan(event, MaxDepth) {
		d.violate(field, "is nested deeper than %d levels", MaxDepth)
	}
	return event, nil
}

// deeperThan counts brackets outside strings of a valid value.
func deeperThan(value []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func (d *reader) id(field string) (string, error) {
	id, err := d.text(field)
	if err == nil {
		if wrong := CheckID(id); wrong != "" {
			d.violate(field, "%s", wrong)
			id = ""
		}
	}
	return id, err
}

// text reads a string; null is as good as leaving the key out.
func (d *reader) text(field string) (string, error) {
	switch kind := d.dec.PeekKind(); kind {
	case 'n':
		return "", d.dec.SkipValue()
	case '"':
		value, err := d.dec.ReadValue()
		if err != nil {
			return "", err
		}
		text, err := unquote(value)
		if err == nil && len(text) == 0 {
			d.violate(field, "is empty: give a value or leave the key out")
		}
		return string(text), err
	default:
		return "", d.wrongKind(field, kind, "a string")
	}
}

// unquote avoids a copy for the usual string without escapes.
func unquote(value []byte) ([]byte, error) {
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], nil
	}
	return jsontext.AppendUnquote(nil, value)
}
