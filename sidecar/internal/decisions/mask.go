package decisions

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maskText stands for what is masked.
const maskText = "***"

const maskJSON = `"` + maskText + `"`

// maxMaskDepth is far beyond what the sidecar takes as an event; what is nested deeper is masked as a whole.
const maxMaskDepth = 512

// masks replaces the values of named fields of JSON values, at every depth and whatever the values are. Names are compared
// without regard to upper and lower case: to mask too much is the smaller mistake.
type masks struct {
	folded  map[string]struct{} // in lower case
	all     []string
	lengths uint64 // bit n: a name of n bytes is among them; most names are told apart by that
}

func newMasks(names []string) masks {
	m := masks{all: names}
	if len(names) > 0 {
		m.folded = map[string]struct{}{}
	}
	for _, name := range names {
		m.lengths |= 1 << (len(name) % 64)
		m.folded[strings.ToLower(name)] = struct{}{}
	}
	return m
}

func (m *masks) none() bool { return len(m.all) == 0 }

// has says whether a name is to be masked.
func (m *masks) has(name string) bool {
	for _, masked := range m.all {
		if strings.EqualFold(masked, name) {
			return true
		}
	}
	return false
}

// hasQuoted says it of a name as it stands between its quotes.
func (m *masks) hasQuoted(name []byte) bool {
	var lower [64]byte
	if len(name) > len(lower) {
		return m.hasSlow(name)
	}
	for i, c := range name {
		if c == '\\' || c >= utf8.RuneSelf {
			return m.hasSlow(name)
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	if m.lengths&(1<<(len(name)%64)) == 0 {
		return false
	}
	_, ok := m.folded[string(lower[:len(name)])]
	return ok
}

func (m *masks) hasSlow(name []byte) bool {
	text, err := jsontext.AppendUnquote(nil, append(append([]byte{'"'}, name...), '"'))
	return err != nil || m.has(string(text)) // what cannot be read is masked
}

// append appends a JSON value with its masks and says how many values it masked. What is no JSON, so that nobody can say where
// a field is, is masked as a whole.
func (m *masks) append(dst, value []byte) ([]byte, int) {
	start := len(dst)
	s := maskScan{masks: m, src: value, dst: dst}
	s.space()
	if s.value(false, 0); !s.bad {
		s.space()
		s.bad = s.at != len(s.src)
	}
	if s.bad {
		return append(s.dst[:start], maskJSON...), 1
	}
	return append(s.dst, value[s.copied:]...), s.masked
}

// maskScan goes through one value. It checks as much of the syntax as is needed to know what is a name and what a value.
type maskScan struct {
	masks  *masks
	src    []byte
	at     int
	dst    []byte
	copied int // up to where src is in dst
	masked int
	bad    bool
}

func (s *maskScan) space() {
	for s.at < len(s.src) {
		switch s.src[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte after space, 0 at the end.
func (s *maskScan) peek() byte {
	s.space()
	if s.at == len(s.src) {
		return 0
	}
	return s.src[s.at]
}

// expect takes a byte.
func (s *maskScan) expect(c byte) bool {
	if s.peek() != c {
		s.bad = true
		return false
	}
	s.at++
	return true
}

// text takes a string and returns what is between its quotes.
func (s *maskScan) text() []byte {
	if !s.expect('"') {
		return nil
	}
	start := s.at
	for {
		i := bytes.IndexByte(s.src[s.at:], '"')
		if i < 0 {
			s.bad = true
			return nil
		}
		end := s.at + i
		s.at = end + 1
		slashes := 0
		for end-slashes > start && s.src[end-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return s.src[start:end]
		}
	}
}

// value takes a value. Within one that is masked as a whole nothing more is.
func (s *maskScan) value(inMasked bool, depth int) {
	if depth > maxMaskDepth {
		s.bad = true
		return
	}
	switch s.peek() {
	case '{':
		s.at++
		if s.peek() == '}' {
			s.at++
			return
		}
		for !s.bad {
			name := s.text()
			if s.bad || !s.expect(':') {
				return
			}
			s.member(name, inMasked, depth)
			if s.bad || s.peek() != ',' {
				break
			}
			s.at++
			s.space()
		}
		s.expect('}')
	case '[':
		s.at++
		if s.peek() == ']' {
			s.at++
			return
		}
		for !s.bad {
			s.value(inMasked, depth+1)
			if s.bad || s.peek() != ',' {
				break
			}
			s.at++
		}
		s.expect(']')
	case '"':
		s.text()
	default:
		s.literal()
	}
}

// member takes the value of a field.
func (s *maskScan) member(name []byte, inMasked bool, depth int) {
	if inMasked || !s.masks.hasQuoted(name) {
		s.value(inMasked, depth+1)
		return
	}
	s.space()
	start := s.at
	if s.value(true, depth+1); s.bad {
		return
	}
	s.dst = append(append(s.dst, s.src[s.copied:start]...), maskJSON...)
	s.copied = s.at
	s.masked++
}

// literal takes a number, true, false or null.
func (s *maskScan) literal() {
	start := s.at
	for s.at < len(s.src) {
		c := s.src[s.at]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E') {
			break
		}
		s.at++
	}
	s.bad = s.bad || s.at == start
}

// omittedValue stands for a value that is too long to be kept.
func omittedValue(value []byte) []byte {
	sum := sha256.Sum256(value)
	b := strconv.AppendInt([]byte(`{"omitted_bytes":`), int64(len(value)), 10)
	b = append(b, `,"sha256":"`...)
	return append(hex.AppendEncode(b, sum[:]), `"}`...)
}
