package classfile

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Method is a method under construction: each call appends one instruction. The depth of the operand stack is followed,
// and an impossible one is an error of [Class.Bytes].
type Method struct {
	pool             *pool
	name, descriptor string
	parameters       []string
	result           string

	code            []byte
	stack, maxStack int
	maxLocals       int
	returned        bool
	err             error
}

// Op is an instruction without operands.
type Op byte

// The instructions without operands that conversions of primitives need.
const (
	L2I Op = 0x88
	I2L Op = 0x85
	I2B Op = 0x91
	I2S Op = 0x93
)

// effects are what the instructions do to the depth of the stack.
var effects = map[Op]int{L2I: -1, I2L: 1, I2B: 0, I2S: 0}

// loads and returns are the instructions by the first letter of the type.
var (
	loads   = map[byte]byte{'Z': 0x15, 'B': 0x15, 'S': 0x15, 'I': 0x15, 'C': 0x15, 'J': 0x16, 'F': 0x17, 'D': 0x18, 'L': 0x19, '[': 0x19}
	returns = map[byte]byte{'Z': 0xac, 'B': 0xac, 'S': 0xac, 'I': 0xac, 'C': 0xac, 'J': 0xad, 'F': 0xae, 'D': 0xaf, 'L': 0xb0, '[': 0xb0, 'V': 0xb1}
)

// This pushes the object itself.
func (m *Method) This() { m.emit(1, 0x2a) }

// Argument pushes parameter i, counted from 0.
func (m *Method) Argument(i int) {
	if i >= len(m.parameters) {
		m.fail("no parameter %d", i)
		return
	}
	slot := 1
	for _, p := range m.parameters[:i] {
		slot += width(p)
	}
	m.emit(width(m.parameters[i]), loads[m.parameters[i][0]], byte(slot))
}

// String pushes a text constant.
func (m *Method) String(text string) {
	m.emit(1, 0x13)
	m.code = binary.BigEndian.AppendUint16(m.code, m.pool.string(text))
}

// Int pushes a constant of up to 16 bits.
func (m *Method) Int(n int) {
	switch {
	case n >= -1 && n <= 5:
		m.emit(1, byte(0x03+n))
	case n == int(int8(n)):
		m.emit(1, 0x10, byte(n))
	case n == int(int16(n)):
		m.emit(1, 0x11, byte(n>>8), byte(n))
	default:
		m.fail("constant %d does not fit 16 bits", n)
	}
}

// Op appends an instruction without operands.
func (m *Method) Op(op Op) { m.emit(effects[op], byte(op)) }

// Virtual calls an instance method: the object and its arguments are popped, the result is pushed.
func (m *Method) Virtual(class, name, descriptor string) {
	m.invoke(0xb6, 1, class, name, descriptor)
}

// Special calls a constructor of the superclass (name <init>).
func (m *Method) Special(class, name, descriptor string) {
	m.invoke(0xb7, 1, class, name, descriptor)
}

// Static calls a static method.
func (m *Method) Static(class, name, descriptor string) {
	m.invoke(0xb8, 0, class, name, descriptor)
}

func (m *Method) invoke(op byte, receiver int, class, name, descriptor string) {
	parameters, result, err := parse(descriptor)
	if err != nil {
		m.fail("call %s.%s: %v", class, name, err)
		return
	}
	popped := receiver
	for _, p := range parameters {
		popped += width(p)
	}
	m.emit(-popped, op)
	m.code = binary.BigEndian.AppendUint16(m.code, m.pool.methodRef(class, name, descriptor))
	m.push(width(result))
}

// Cast checks the object on the stack and gives it another type: an internal name, or a descriptor for an array.
func (m *Method) Cast(class string) {
	m.emit(0, 0xc0)
	m.code = binary.BigEndian.AppendUint16(m.code, m.pool.class(class))
}

// Return ends the method with what is on the stack.
func (m *Method) Return() {
	m.emit(-width(m.result), returns[m.result[0]])
	if m.stack != 0 {
		m.fail("%d slots are left on the stack", m.stack)
	}
	m.returned = true
}

func (m *Method) emit(effect int, code ...byte) {
	if m.returned {
		m.fail("an instruction after the return")
	}
	m.code = append(m.code, code...)
	m.push(effect)
}

func (m *Method) push(effect int) {
	m.stack += effect
	m.maxStack = max(m.maxStack, m.stack)
	if m.stack < 0 {
		m.fail("the stack is empty")
		m.stack = 0
	}
}

func (m *Method) fail(format string, a ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, a...)
	}
}

// append writes the method_info (JVMS 4.6) with its Code attribute (4.7.3).
func (m *Method) append(b []byte, codeName uint16) []byte {
	b = shorts(b, accessPublic, int(m.pool.utf8(m.name)), int(m.pool.utf8(m.descriptor)), 1, int(codeName))
	b = binary.BigEndian.AppendUint32(b, uint32(2+2+4+len(m.code)+2+2))
	b = shorts(b, m.maxStack, m.maxLocals)
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.code)))
	b = append(b, m.code...)
	return shorts(b, 0 /* exceptions */, 0 /* attributes */)
}

// width is how many slots a value of a type takes.
func width(descriptor string) int {
	switch descriptor {
	case "V":
		return 0
	case "J", "D":
		return 2
	default:
		return 1
	}
}

// parse splits a method descriptor (JVMS 4.3.3) into the descriptors of its parameters and its result.
func parse(descriptor string) (parameters []string, result string, err error) {
	bad := fmt.Errorf("descriptor %q: want (parameters)result", descriptor)
	rest, ok := strings.CutPrefix(descriptor, "(")
	if !ok {
		return nil, "V", bad
	}
	for !strings.HasPrefix(rest, ")") {
		n := field(rest)
		if n == 0 {
			return nil, "V", bad
		}
		parameters, rest = append(parameters, rest[:n]), rest[n:]
	}
	result = rest[1:]
	if result != "V" && (result == "" || field(result) != len(result)) {
		return nil, "V", bad
	}
	return parameters, result, nil
}

// field is the length of the field descriptor that s starts with, or 0.
func field(s string) int {
	n := 0
	for n < len(s) && s[n] == '[' {
		n++
	}
	if n == len(s) {
		return 0
	}
	if strings.IndexByte("ZBSIJFDC", s[n]) >= 0 {
		return n + 1
	}
	if end := strings.IndexByte(s, ';'); s[n] == 'L' && end > n+1 {
		return end + 1
	}
	return 0
}
