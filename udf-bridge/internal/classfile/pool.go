package classfile

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Tags of the constant pool (JVMS table 4.4-A), the ones used here.
const (
	tagUTF8        = 1
	tagClass       = 7
	tagString      = 8
	tagMethodRef   = 10
	tagNameAndType = 12
)

// pool is a constant pool under construction. Equal constants share an entry, and entries are in order of first use, so
// that equal classes are equal bytes.
type pool struct {
	buf   []byte
	count int // entries so far; valid indices are 1..count
	index map[string]uint16
	err   error
}

func newPool() *pool { return &pool{index: map[string]uint16{}} }

func (p *pool) add(entry []byte) uint16 {
	if i, ok := p.index[string(entry)]; ok {
		return i
	}
	if p.count == math.MaxUint16-1 {
		p.fail(fmt.Errorf("more than %d constants in one class", math.MaxUint16-1))
		return 0
	}
	p.count++
	p.buf = append(p.buf, entry...)
	p.index[string(entry)] = uint16(p.count)
	return uint16(p.count)
}

func (p *pool) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// utf8 adds a text in the modified UTF-8 of class files (JVMS 4.4.7): NUL is two bytes, and a character beyond the basic
// plane is a surrogate pair of three bytes each.
func (p *pool) utf8(s string) uint16 {
	text := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case r != 0 && r < 0x80:
			text = append(text, byte(r))
		case r < 0x800:
			text = append(text, 0xc0|byte(r>>6), 0x80|byte(r&0x3f))
		case r < 0x10000:
			text = appendThree(text, r)
		default:
			r -= 0x10000
			text = appendThree(appendThree(text, 0xd800|r>>10), 0xdc00|r&0x3ff)
		}
	}
	if len(text) > math.MaxUint16 {
		p.fail(fmt.Errorf("constant of %d bytes, a class file holds at most %d", len(text), math.MaxUint16))
		return 0
	}
	entry := binary.BigEndian.AppendUint16([]byte{tagUTF8}, uint16(len(text)))
	return p.add(append(entry, text...))
}

func appendThree(text []byte, r rune) []byte {
	return append(text, 0xe0|byte(r>>12), 0x80|byte(r>>6&0x3f), 0x80|byte(r&0x3f))
}

func (p *pool) class(name string) uint16  { return p.one(tagClass, p.utf8(name)) }
func (p *pool) string(text string) uint16 { return p.one(tagString, p.utf8(text)) }

func (p *pool) methodRef(class, name, descriptor string) uint16 {
	return p.two(tagMethodRef, p.class(class), p.two(tagNameAndType, p.utf8(name), p.utf8(descriptor)))
}

func (p *pool) one(tag byte, a uint16) uint16 {
	return p.add(binary.BigEndian.AppendUint16([]byte{tag}, a))
}

func (p *pool) two(tag byte, a, b uint16) uint16 {
	return p.add(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{tag}, a), b))
}
