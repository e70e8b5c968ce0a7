package udf

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// textKind is CHAR(n), VARCHAR(n), STRING and their counterparts of bytes.
type textKind struct {
	root    Root
	least   int // characters of a string, bytes of bytes
	most    int // 0 = no limit
	unit    string
	correct string // what would do
}

func textKindOf(goType, sql, text, fixed, varying, unit string) (textKind, error) {
	k := textKind{root: Root(text), unit: unit}
	if sql == "" {
		return k, nil
	}
	r, err := refine(goType, sql, fixed+"(n)", varying+"(n)", text)
	if err != nil || r.name == text {
		return k, err
	}
	if err := r.within(goType, "length", r.first, 1, maxLength); err != nil {
		return k, err
	}
	k.root = Root(r.name + "(" + strconv.Itoa(r.first) + ")")
	k.most, k.correct = r.first, "cut it"
	if r.name == fixed {
		k.least, k.correct = r.first, "pad or cut it"
	}
	return k, nil
}

var errUTF8 = errors.New("is not valid UTF-8, which STRING must be; return []byte for BYTES")

// length checks how long a value is.
func (k *textKind) length(n int) error {
	if k.most == 0 || n >= k.least && n <= k.most {
		return nil
	}
	return fmt.Errorf("has %d %s, which %s does not hold; %s, or give the field's tag another length", n, k.unit, k.root, k.correct)
}

func (k *textKind) check(text string) error {
	if !utf8.ValidString(text) {
		return errUTF8
	}
	if k.most == 0 {
		return nil
	}
	return k.length(utf8.RuneCountInString(text))
}

func stringPlan(sql string) (*plan, error) {
	k, err := textKindOf("string", sql, "STRING", "CHAR", "VARCHAR", "characters")
	if err != nil {
		return nil, err
	}
	c := cell{op: opString, shape: variable, size: 8}
	if k.most != 0 {
		c = cell{
			shape: variable, size: 8,
			loadVar: func(s *source, p unsafe.Pointer, b []byte) error {
				*(*string)(p) = s.text(b)
				return nil
			},
			storeVar: func(w *sink, p unsafe.Pointer) error {
				text := *(*string)(p)
				w.Buf = append(w.Buf, text...)
				return k.check(text)
			},
		}
	}
	return &plan{typ: Type{Root: k.root}, decode: k.decodeString, encode: k.encodeString, cell: c}, nil
}

func bytesPlan(sql string) (*plan, error) {
	k, err := textKindOf("[]byte", sql, "BYTES", "BINARY", "VARBINARY", "bytes")
	if err != nil {
		return nil, err
	}
	c := cell{op: opBytes, shape: variable, size: 8}
	if k.most != 0 {
		c = cell{
			shape: variable, size: 8,
			loadVar: func(s *source, p unsafe.Pointer, b []byte) error {
				*(*[]byte)(p) = s.copy(b)
				return nil
			},
			storeVar: func(w *sink, p unsafe.Pointer) error {
				b := *(*[]byte)(p)
				w.Buf = append(w.Buf, b...)
				return k.length(len(b))
			},
		}
	}
	return &plan{typ: Type{Root: k.root}, decode: k.decodeBytes, encode: k.encodeBytes, cell: c}, nil
}

func (k *textKind) decodeString(s *decodeState, v reflect.Value) error {
	text, ok, err := s.text(k.root)
	if !ok {
		return err
	}
	if err := k.check(text); err != nil {
		s.violate("%v", err)
		return nil
	}
	v.SetString(text)
	return nil
}

func (k *textKind) encodeString(dst []byte, v reflect.Value) ([]byte, error) {
	text := v.String()
	if err := k.check(text); err != nil {
		return nil, err
	}
	return jsontext.AppendQuote(dst, text)
}

// decodeBytes reads standard base64, as RFC 4648 section 4 and protobuf's JSON have it.
func (k *textKind) decodeBytes(s *decodeState, v reflect.Value) error {
	text, ok, err := s.text(k.root)
	if !ok {
		return err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		s.violate("is not base64: %v", err)
		return nil
	}
	if err := k.length(len(b)); err != nil {
		s.violate("%v", err)
		return nil
	}
	v.SetBytes(b)
	return nil
}

func (k *textKind) encodeBytes(dst []byte, v reflect.Value) ([]byte, error) {
	b := v.Bytes()
	if err := k.length(len(b)); err != nil {
		return nil, err
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"'), nil
}
