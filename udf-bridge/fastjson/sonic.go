//go:build !drey_stdjson && (amd64 || arm64)

package fastjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"unicode/utf8"

	"github.com/bytedance/sonic"
)

// Engine says what reads and writes.
const Engine = "sonic"

// api copies strings, checks them, and sorts maps, as encoding/json does.
var api = sonic.ConfigStd

func newDecoder[T any]() *Decoder[T] {
	t := reflect.TypeFor[T]()
	shape := shapeOf(t)
	if shape.alien {
		return &Decoder[T]{}
	}
	_ = sonic.Pretouch(t) // compiles what the first call would; what cannot be is told by it
	return &Decoder[T]{
		engine: func(data []byte, v *T) error { return api.Unmarshal(data, v) },
		plain: func(data []byte) bool {
			switch {
			case !utf8.Valid(data):
				return false // encoding/json leaves such bytes in a json.RawMessage, sonic replaces them
			case shape.names && hasLongS(data):
				return false
			case shape.maps && bytes.Contains(data, null):
				return false
			}
			return escapesAreValid(data)
		},
	}
}

// Encode writes v as one JSON value.
func Encode(v any) ([]byte, error) {
	b, err := api.Marshal(v)
	if err != nil || bytes.Contains(b, backspace) || bytes.Contains(b, formFeed) {
		return json.Marshal(v) // which writes these two as \b and \f
	}
	return b, nil
}

// escapesAreValid looks at each backslash, which sonic does not in long strings that it skips or leaves in a
// json.RawMessage. Outside of a string a backslash is refused by both.
func escapesAreValid(data []byte) bool {
	for {
		at := bytes.IndexByte(data, '\\')
		if at < 0 {
			return true
		}
		if data = data[at+1:]; len(data) == 0 {
			return false
		}
		size := 1
		switch data[0] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			if size = 5; len(data) < size || !isHex(data[1]) || !isHex(data[2]) || !isHex(data[3]) || !isHex(data[4]) {
				return false
			}
		default:
			return false
		}
		data = data[size:]
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// hasLongS finds the one letter beyond ASCII that encoding/json takes for an ASCII letter in names and sonic does not:
// U+017F, which is an s for both "list" and "LIST".
func hasLongS(data []byte) bool {
	return bytes.Contains(data, longS) || bytes.Contains(data, escapedLongS)
}

var (
	longS, escapedLongS = []byte("\u017f"), []byte(`\u017`)
	backspace, formFeed = []byte(`\u0008`), []byte(`\u000c`)
	null                = []byte("null")
)
