package udf

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// decodeMap reads an object. Keys that are not strings in JSON stand in its names as the text of their JSON: {"7":1}.
func decodeMap(key, element *plan) decodeFunc {
	return func(s *decodeState, v reflect.Value) error {
		if ok, err := s.skipUnless('{', RootMap); !ok {
			return err
		}
		if _, err := s.dec.ReadToken(); err != nil {
			return err
		}
		v.Set(reflect.MakeMap(v.Type()))
		for s.dec.PeekKind() != '}' {
			tok, err := s.dec.ReadToken()
			if err != nil {
				return err
			}
			name := reflect.New(v.Type().Key()).Elem()
			s.decodeKey(key, tok.String(), name)
			value := reflect.New(v.Type().Elem()).Elem()
			if err := element.decode(s, value); err != nil {
				return err
			}
			v.SetMapIndex(name, value)
		}
		_, err := s.dec.ReadToken()
		return err
	}
}

// decodeKey reads the name of a map's entry as a value of the key's type.
func (s *decodeState) decodeKey(key *plan, name string, v reflect.Value) {
	if v.Kind() == reflect.String && key.cell.op == opString {
		v.SetString(name)
		return
	}
	quoted, err := jsontext.AppendQuote(nil, name)
	if err != nil {
		s.violate("its key is not UTF-8")
		return
	}
	for _, text := range [][]byte{quoted, []byte(name)} {
		sub := decodeState{dec: jsontext.NewDecoder(bytes.NewReader(text))}
		whole := len(text) > 0 && text[0] > ' '
		if err := key.decode(&sub, v); err == nil && len(sub.violations) == 0 && whole && sub.dec.InputOffset() == int64(len(text)) {
			return
		}
	}
	s.violate("its key does not fit, the function takes %s", key.typ)
}

// encodeMap writes the keys sorted, so that equal results are equal bytes.
func encodeMap(key, element *plan) encodeFunc {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		entries, err := encodeEntries(key, element, v)
		if err != nil {
			return nil, err
		}
		dst = append(dst, '{')
		for i, e := range entries {
			if i > 0 {
				dst = append(dst, ',')
			}
			if e.key[0] == '"' {
				dst = append(dst, e.key...)
			} else {
				dst = append(append(append(dst, '"'), e.key...), '"') // a number or a boolean
			}
			dst = append(append(dst, ':'), e.value...)
		}
		return append(dst, '}'), nil
	}
}

type entry struct{ key, value []byte }

func encodeEntries(key, element *plan, v reflect.Value) ([]entry, error) {
	entries := make([]entry, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		var e entry
		var err error
		if e.key, err = key.encode(nil, iter.Key()); err != nil {
			return nil, atField("[a key]", err)
		}
		if e.value, err = element.encode(nil, iter.Value()); err != nil {
			return nil, atField("["+clip(fmt.Sprint(iter.Key()))+"]", err)
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	return entries, nil
}

// decodeMultiset reads a list of pairs: [["a",2],["b",1]].
func decodeMultiset(key, count *plan) decodeFunc {
	return func(s *decodeState, v reflect.Value) error {
		if ok, err := s.skipUnless('[', RootMultiset); !ok {
			return err
		}
		if _, err := s.dec.ReadToken(); err != nil {
			return err
		}
		v.Set(reflect.MakeMap(v.Type()))
		for s.dec.PeekKind() != ']' {
			if ok, err := s.skipUnless('[', "pair of an element and its count"); !ok {
				if err != nil {
					return err
				}
				continue
			}
			if _, err := s.dec.ReadToken(); err != nil {
				return err
			}
			name, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			n := 0
			for ; s.dec.PeekKind() != ']'; n++ {
				var err error
				switch n {
				case 0:
					err = key.decode(s, name)
				case 1:
					err = count.decode(s, value)
				default:
					err = s.dec.SkipValue()
				}
				if err != nil {
					return err
				}
			}
			if _, err := s.dec.ReadToken(); err != nil {
				return err
			}
			if n != 2 {
				s.violate("has %d values, an entry of a MULTISET is a pair of an element and its count", n)
				continue
			}
			v.SetMapIndex(name, value)
		}
		_, err := s.dec.ReadToken()
		return err
	}
}

func encodeMultiset(key, count *plan) encodeFunc {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		entries, err := encodeEntries(key, count, v)
		if err != nil {
			return nil, err
		}
		dst = append(dst, '[')
		for i, e := range entries {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(append(append(append(dst, '['), e.key...), ','), e.value...), ']')
		}
		return append(dst, ']'), nil
	}
}
