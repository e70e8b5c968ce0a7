//go:build !drey_stdjson && (amd64 || arm64)

package fastjson

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"unicode/utf8"
	"unsafe"

	"github.com/bytedance/sonic"
	"github.com/bytedance/sonic/encoder"
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
		engine: func(data []byte, v *T) error {
			// Not Unmarshal, which copies the text; strings are copied all the same.
			return api.UnmarshalFromString(unsafe.String(unsafe.SliceData(data), len(data)), v)
		},
		plain: func(data []byte) bool {
			if shape.maps && bytes.Contains(data, null) {
				return false
			}
			if isSimple(data) {
				return true
			}
			switch {
			case !utf8.Valid(data):
				return false // encoding/json leaves such bytes in a json.RawMessage, sonic replaces them
			case shape.names && hasLongS(data):
				return false
			}
			return escapesAreValid(data)
		},
	}
}

// Append appends v as one JSON value. With an error it returns dst as it was.
func Append(dst []byte, v any) ([]byte, error) {
	out := dst
	if err := encoder.EncodeInto(&out, v, encoder.SortMapKeys|encoder.CompactMarshaler); err == nil && isFinal(out[len(dst):]) {
		return out, nil
	}
	text, err := api.Marshal(v)
	if err != nil || hasOtherEscape(text) {
		text, err = json.Marshal(v) // also what is wrong with it is said in one way only
	}
	return append(dst, text...), err
}

// isFinal says whether encoding/json would have written the text so, which escapes what HTML and JavaScript read otherwise
// and replaces what is not UTF-8.
func isFinal(text []byte) bool {
	for _, c := range text {
		if c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	if isSimple(text) {
		return true
	}
	return utf8.Valid(text) && !hasOtherEscape(text) && !bytes.Contains(text, lineSeparator) && !bytes.Contains(text, paragraphSeparator)
}

// hasOtherEscape finds what sonic writes by numbers and encoding/json otherwise: \b, \f and, from Go 1.27 on, the character
// in place of what is not UTF-8, which is then written as itself.
func hasOtherEscape(text []byte) bool {
	return bytes.Contains(text, backspace) || bytes.Contains(text, formFeed) || bytes.Contains(text, replacement)
}

// isSimple says whether there is nothing but ASCII and no backslash, as in most texts. It reads eight bytes at once.
func isSimple(data []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	odd := uint64(0)
	for ; len(data) >= 8; data = data[8:] {
		word := binary.LittleEndian.Uint64(data)
		other := word ^ '\\'*ones // a byte of it is zero where the backslash is
		odd |= word | (other-ones)&^other
	}
	for _, c := range data {
		if c == '\\' {
			return false
		}
		odd |= uint64(c)
	}
	return odd&highs == 0
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
	replacement         = []byte(`\ufffd`)
	null                = []byte("null")

	lineSeparator, paragraphSeparator = []byte("\u2028"), []byte("\u2029")
)
