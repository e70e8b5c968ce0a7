package envelope

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// maxViolations bounds what one hostile body can make us say.
const maxViolations = 20

const (
	callKeys   = "event,function,id,origin,state"
	originKeys = "job,subtask"
	stateKeys  = "epoch,key,key_group,low_watermark,session,watermark"
	batchKeys  = "items,function"
)

// object reads an object; field reads the value of a key it knows. The result is false if there is no object.
func (d *reader) object(at string, field func(key []byte) (known bool, err error), keys string) (bool, error) {
	if kind := d.dec.PeekKind(); kind != '{' {
		return false, d.wrongKind(strings.TrimSuffix(at, "."), kind, "an object")
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return false, err
	}
	for d.dec.PeekKind() != '}' {
		name, err := d.dec.ReadValue()
		if err != nil {
			return true, err
		}
		key, err := unquote(name)
		if err != nil {
			return true, err
		}
		known, err := field(key)
		if err != nil {
			return true, err
		}
		if !known {
			if err := d.unknown(at, key, keys); err != nil {
				return true, err
			}
		}
	}
	_, err := d.dec.ReadToken()
	return true, err
}

// unknown reports a key that has no meaning, and reads past its value. (The key is only valid until then.)
func (d *reader) unknown(at string, key []byte, keys string) error {
	name, nearest, distance := clip(string(key)), "", 4
	for known := range strings.SplitSeq(keys, ",") {
		if n := levenshtein.ComputeDistance(strings.ToLower(name), known); n < min(distance, len(known)) {
			nearest, distance = known, n
		}
	}
	if nearest != "" {
		d.violate(at+name, "unknown key; did you mean %s?", nearest)
	} else {
		d.violate(at+name, "unknown key; the keys are %s", strings.ReplaceAll(keys, ",", ", "))
	}
	return d.dec.SkipValue()
}

func (d *reader) wrongKind(field string, kind jsontext.Kind, want string) error {
	if err := d.dec.SkipValue(); err != nil {
		return err
	}
	if field == "" {
		field = d.root
	}
	d.violate(field, "is %s, must be %s", kindName(kind), want)
	return nil
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	case '{':
		return "an object"
	case '[':
		return "an array"
	default:
		return "null"
	}
}

func (d *reader) violate(field, format string, a ...any) {
	if len(d.violations) < maxViolations {
		d.violations = append(d.violations, problem.Violation{Field: field, Message: fmt.Sprintf(format, a...)})
	}
}

// finish makes sure that nothing follows, and turns what was found into the answer.
func (d *reader) finish(err error) error {
	if err == nil {
		if _, err = d.dec.ReadToken(); err == nil {
			err = errors.New("more than one JSON value")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		field, message := d.explain(err)
		d.violate(field, "%s", message)
	}
	if len(d.violations) == 0 {
		return nil
	}
	return Refuse(d.violations)
}

// Refuse is the answer to a request of which at least one thing is wrong.
func Refuse(violations []problem.Violation) *problem.Error {
	said := make([]string, len(violations))
	for i, v := range violations {
		said[i] = v.Field + ": " + v.Message
	}
	p := problem.New(problem.InvalidRequest, "%s", strings.Join(said, "; "))
	p.Violations = violations
	return p
}

// explain says where an error of syntax is, in terms of the request.
func (d *reader) explain(err error) (field, message string) {
	field = d.root
	var syntax *jsontext.SyntacticError
	switch {
	case len(d.body) == 0:
		return field, "is empty, must be JSON"
	case errors.As(err, &syntax):
		if path := d.path(syntax.JSONPointer); path != "" {
			field = path
		}
		message = fmt.Sprintf("%s (at byte %d)", plain(syntax.Err), syntax.ByteOffset)
	default:
		message = plain(err)
	}
	return field, message
}

func plain(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "the JSON ends too early"
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return "the name stands twice in its object"
	}
	return clip(strings.TrimPrefix(err.Error(), "jsontext: "))
}

func (d *reader) path(p jsontext.Pointer) string {
	var parts []string
	if d.root != "body" {
		parts = append(parts, d.root)
	}
	for token := range p.Tokens() {
		if len(parts) == 8 {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, clip(token))
	}
	return strings.Join(parts, ".")
}

func clip(text string) string {
	const longest = 100
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
