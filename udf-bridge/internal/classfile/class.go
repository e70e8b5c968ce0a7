// Package classfile writes Java class files (JVMS chapter 4) of the simple kind that the builder needs: public final
// classes whose methods are straight lines of code. Without branches the verifier needs no stack maps, so a method is
// only its instructions. The bytes depend on the calls alone: equal calls, equal bytes.
//
// Nothing here is safe for concurrent use.
package classfile

import (
	"encoding/binary"
	"fmt"
	"math"
)

// majorVersion is Java 11's.
const majorVersion = 55

const (
	accessPublic = 0x0001
	accessFinal  = 0x0010
	accessSuper  = 0x0020
)

// Class is a class under construction.
type Class struct {
	name, super string
	pool        *pool
	methods     []*Method
}

// New starts a public final class. Names are internal ones: java/lang/Object.
func New(name, super string) *Class { return &Class{name: name, super: super, pool: newPool()} }

// Name is the class's internal name.
func (c *Class) Name() string { return c.name }

// Method starts a public instance method with a descriptor such as (JLjava/lang/String;)D. Its local variable 0 is this,
// the parameters follow.
func (c *Class) Method(name, descriptor string) *Method {
	m := &Method{pool: c.pool, name: name, descriptor: descriptor}
	parameters, result, err := parse(descriptor)
	if err != nil {
		c.pool.fail(fmt.Errorf("%s.%s: %w", c.name, name, err))
	}
	m.parameters, m.result = parameters, result
	m.maxLocals = 1
	for _, p := range parameters {
		m.maxLocals += width(p)
	}
	if m.maxLocals > 255 {
		c.pool.fail(fmt.Errorf("%s.%s: parameters take %d slots, a Java method has at most 255 (long and double take two)", c.name, name, m.maxLocals))
	}
	c.methods = append(c.methods, m)
	return m
}

// Bytes is the finished class file.
func (c *Class) Bytes() ([]byte, error) {
	this, super, code := c.pool.class(c.name), c.pool.class(c.super), c.pool.utf8("Code")
	var methods []byte
	for _, m := range c.methods {
		if m.err == nil && !m.returned {
			m.err = fmt.Errorf("does not end with a return")
		}
		if m.err == nil && len(m.code) > math.MaxUint16 {
			m.err = fmt.Errorf("%d bytes of code, a method holds at most %d", len(m.code), math.MaxUint16)
		}
		if m.err != nil {
			return nil, fmt.Errorf("class %s: %s%s: %w", c.name, m.name, m.descriptor, m.err)
		}
		methods = m.append(methods, code)
	}
	if c.pool.err != nil {
		return nil, fmt.Errorf("class %s: %w", c.name, c.pool.err)
	}
	b := binary.BigEndian.AppendUint32(nil, 0xcafebabe)
	b = shorts(b, 0, majorVersion, c.pool.count+1)
	b = append(b, c.pool.buf...)
	b = shorts(b, accessPublic|accessFinal|accessSuper, int(this), int(super), 0 /* interfaces */, 0 /* fields */, len(c.methods))
	b = append(b, methods...)
	return shorts(b, 0 /* attributes */), nil
}

func shorts(b []byte, values ...int) []byte {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return b
}
