package udf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// maxViolations bounds what one hostile event can make us say.
const maxViolations = 20

// decodeFunc reads the next JSON value into v. It reports a value that does not fit as a violation and goes on; the
// error is one of syntax, after which nothing more can be read.
type decodeFunc func(s *decodeState, v reflect.Value) error

type decodeState struct {
	dec        *jsontext.Decoder
	violations []Violation

	nullOnNull bool // a NULL argument is no violation
	arguments  int  // how deep the arguments are: 1 if they are the fields of an object
	null       bool // one of them is NULL
}

func (s *decodeState) violate(format string, a ...any) {
	if len(s.violations) < maxViolations {
		field := pointerPath(s.dec.StackPointer())
		s.violations = append(s.violations, Violation{Field: field, Message: fmt.Sprintf(format, a...)})
	}
}

// pointerPath turns a JSON pointer into the path a Go developer would write: /items/2/amount -> items.2.amount. The
// value as a whole is "event", as in the request that carried it.
func pointerPath(p jsontext.Pointer) string {
	if p == "" {
		return "event"
	}
	var parts []string
	for token := range p.Tokens() {
		parts = append(parts, token)
	}
	return strings.Join(parts, ".")
}

// decoders keeps the decoders' buffers between calls. Given a *bytes.Buffer a decoder reads the event in place.
var decoders = sync.Pool{New: func() any { return jsontext.NewDecoder(new(bytes.Buffer)) }}

func (s *decodeState) unmarshal(p *plan, event []byte, v reflect.Value) error {
	dec := decoders.Get().(*jsontext.Decoder)
	dec.Reset(bytes.NewBuffer(event))
	defer func() {
		dec.Reset(new(bytes.Buffer)) // the pool must not hold on to the event
		decoders.Put(dec)
	}()
	s.dec = dec
	if p.typ.Root == RootRow && !p.nullable {
		s.arguments = 1
	}
	if err := p.decode(s, v); err != nil {
		return syntaxError(err)
	}
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return syntaxError(errors.New("more than one JSON value"))
	}
	if len(s.violations) > 0 {
		return &InputError{Violations: s.violations}
	}
	return nil
}

func syntaxError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &InputError{Violations: []Violation{{Field: "event", Message: err.Error()}}}
}

// skipUnless reports a value of the wrong kind and reads past it. It returns true if the kind is right and the value
// is still to be read.
func (s *decodeState) skipUnless(want jsontext.Kind, name Root) (bool, error) {
	kind := s.dec.PeekKind()
	if kind == want {
		return true, nil
	}
	if kind == 'n' {
		return false, s.skipNull(name)
	}
	if err := s.dec.SkipValue(); err != nil {
		return false, err
	}
	s.violate("is %s, the function takes %s", kindName(kind), name)
	return false, nil
}

func (s *decodeState) skipNull(name Root) error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	if s.nullOnNull && s.dec.StackDepth() == s.arguments {
		s.null = true
		return nil
	}
	s.violate("is null, the function takes %s NOT NULL (a Go pointer or udf.Null would take NULL)", name)
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
		return k.String()
	}
}

func decodeBool(s *decodeState, v reflect.Value) error {
	if kind := s.dec.PeekKind(); kind != 't' && kind != 'f' {
		_, err := s.skipUnless('t', RootBoolean)
		return err
	}
	tok, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	v.SetBool(tok.Bool())
	return nil
}

func intPlan(root Root, bits int, c cell) *plan {
	return &plan{typ: Type{Root: root}, cell: c, encode: encodeInt, decode: func(s *decodeState, v reflect.Value) error {
		if ok, err := s.skipUnless('0', root); !ok {
			return err
		}
		tok, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		text := tok.String()
		n, err := strconv.ParseInt(text, 10, bits)
		switch {
		case err == nil:
			v.SetInt(n)
		case errors.Is(err, strconv.ErrRange):
			s.violate("%s is out of range for %s", clip(text), root)
		default:
			s.violate("%s is not a whole number, the function takes %s", clip(text), root)
		}
		return nil
	}}
}

func floatPlan(root Root, bits int, c cell) *plan {
	encode := func(dst []byte, v reflect.Value) ([]byte, error) { return appendFloat(dst, v.Float(), bits) }
	return &plan{typ: Type{Root: root}, cell: c, encode: encode, decode: func(s *decodeState, v reflect.Value) error {
		if ok, err := s.skipUnless('0', root); !ok {
			return err
		}
		tok, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		text := tok.String()
		f, err := strconv.ParseFloat(text, bits)
		if err != nil {
			s.violate("%s is out of range for %s", clip(text), root)
			return nil
		}
		v.SetFloat(f)
		return nil
	}}
}

func decodePointer(inner *plan) decodeFunc {
	return func(s *decodeState, v reflect.Value) error {
		if s.dec.PeekKind() == 'n' {
			_, err := s.dec.ReadToken()
			v.SetZero()
			return err
		}
		p := reflect.New(v.Type().Elem())
		if err := inner.decode(s, p.Elem()); err != nil {
			return err
		}
		v.Set(p)
		return nil
	}
}

func decodeNull(inner *plan) decodeFunc {
	return func(s *decodeState, v reflect.Value) error {
		if s.dec.PeekKind() == 'n' {
			_, err := s.dec.ReadToken()
			v.SetZero()
			return err
		}
		v.Field(1).SetBool(true)
		return inner.decode(s, v.Field(0))
	}
}

func decodeSlice(element *plan) decodeFunc {
	return func(s *decodeState, v reflect.Value) error {
		if ok, err := s.skipUnless('[', RootArray); !ok {
			return err
		}
		if _, err := s.dec.ReadToken(); err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		for s.dec.PeekKind() != ']' {
			v.Grow(1)
			v.SetLen(v.Len() + 1)
			if err := element.decode(s, v.Index(v.Len()-1)); err != nil {
				return err
			}
		}
		_, err := s.dec.ReadToken()
		return err
	}
}

// decodeRow reads an object into a struct. Unknown names are skipped, so that a job may send more than one function
// needs; missing ones are violations unless they are nullable.
func decodeRow(fields []rowField) decodeFunc {
	byName := make(map[string]int, len(fields))
	for i, f := range fields {
		byName[f.name] = i
	}
	return func(s *decodeState, v reflect.Value) error {
		if ok, err := s.skipUnless('{', RootRow); !ok {
			return err
		}
		if _, err := s.dec.ReadToken(); err != nil {
			return err
		}
		var small [64]bool
		seen := small[:]
		if len(fields) > len(small) {
			seen = make([]bool, len(fields))
		}
		for s.dec.PeekKind() != '}' {
			key, err := s.dec.ReadValue()
			if err != nil {
				return err
			}
			i, known := lookup(byName, key)
			if !known {
				if err := s.dec.SkipValue(); err != nil {
					return err
				}
				continue
			}
			seen[i] = true
			if err := fields[i].plan.decode(s, v.FieldByIndex(fields[i].index)); err != nil {
				return err
			}
		}
		if _, err := s.dec.ReadToken(); err != nil {
			return err
		}
		for i, f := range fields {
			if !seen[i] && !f.plan.nullable {
				s.missing(f)
			}
		}
		return nil
	}
}

// missing names the absent field below the object that was just read.
func (s *decodeState) missing(f rowField) {
	if s.nullOnNull && s.dec.StackDepth()+1 == s.arguments {
		s.null = true
		return
	}
	if len(s.violations) >= maxViolations {
		return
	}
	field := f.name
	if above := s.dec.StackPointer(); above != "" {
		field = pointerPath(above) + "." + f.name
	}
	s.violations = append(s.violations, Violation{
		Field:   field,
		Message: fmt.Sprintf("is missing, the function takes %s NOT NULL", f.plan.typ),
	})
}

// lookup finds a quoted JSON name without allocating when it holds no escapes.
func lookup(byName map[string]int, quoted []byte) (int, bool) {
	inner := quoted[1 : len(quoted)-1]
	for _, c := range inner {
		if c == '\\' {
			plain, err := jsontext.AppendUnquote(nil, quoted)
			if err != nil {
				return 0, false
			}
			i, ok := byName[string(plain)]
			return i, ok
		}
	}
	i, ok := byName[string(inner)]
	return i, ok
}

func clip(text string) string {
	if len(text) > 40 {
		return text[:40] + "..."
	}
	return text
}
