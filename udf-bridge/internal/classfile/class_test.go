package classfile_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/classfile"
)

// simple is public final class a.B extends java.lang.Object with its constructor and long add(int, double).
func simple() *classfile.Class {
	c := classfile.New("a/B", "java/lang/Object")
	m := c.Method("<init>", "()V")
	m.This()
	m.Special("java/lang/Object", "<init>", "()V")
	m.Return()
	m = c.Method("add", "(ID)J")
	m.Argument(0)
	m.Op(classfile.I2L)
	m.Return()
	return c
}

// The expected bytes are written out from JVMS chapter 4.
func TestBytes(t *testing.T) {
	want := unhex(
		"cafebabe", "0000", "0037", // minor 0, major 55: Java 11
		"000c",                                           // constants 1..11
		"01", "0010", "6a6176612f6c616e672f4f626a656374", // 1 java/lang/Object
		"07", "0001", // 2 its class
		"01", "0006", "3c696e69743e", // 3 <init>
		"01", "0003", "282956", // 4 ()V
		"0c", "0003", "0004", // 5 name and type
		"0a", "0002", "0005", // 6 Object.<init>()V
		"01", "0003", "612f42", // 7 a/B
		"07", "0007", // 8 its class
		"01", "0004", "436f6465", // 9 Code
		"01", "0003", "616464", // 10 add
		"01", "0005", "284944294a", // 11 (ID)J
		"0031", "0008", "0002", "0000", "0000", // public final super, this, its superclass, no interfaces, no fields
		"0002",                         // methods
		"0001", "0003", "0004", "0001", // public <init>()V, one attribute
		"0009", "00000011", "0001", "0001", // Code of 17 bytes: stack 1, locals 1
		"00000005", "2a", "b7", "0006", "b1", "0000", "0000", // aload_0, invokespecial 6, return; no handlers, no attributes
		"0001", "000a", "000b", "0001", // public add(ID)J, one attribute
		"0009", "00000010", "0002", "0004", // Code of 16 bytes: stack 2, locals 4
		"00000004", "15", "01", "85", "ad", "0000", "0000", // iload 1, i2l, lreturn
		"0000", // no attributes
	)
	got, err := simple().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func unhex(parts ...string) []byte {
	b, err := hex.DecodeString(strings.Join(parts, ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestBytes_same(t *testing.T) {
	a, _ := simple().Bytes()
	b, _ := simple().Bytes()
	if !bytes.Equal(a, b) {
		t.Errorf("equal calls made different bytes:\n%x\n%x", a, b)
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		want string
		make func(c *classfile.Class)
	}{
		{"does not end with a return", func(c *classfile.Class) { c.Method("f", "()V") }},
		{"the stack is empty", func(c *classfile.Class) { c.Method("f", "()J").Return() }},
		{"1 slots are left", func(c *classfile.Class) { m := c.Method("f", "()V"); m.This(); m.Return() }},
		{"after the return", func(c *classfile.Class) { m := c.Method("f", "()V"); m.Return(); m.This() }},
		{"no parameter 1", func(c *classfile.Class) { m := c.Method("f", "(J)V"); m.Argument(1); m.Return() }},
		{"constant 70000", func(c *classfile.Class) { m := c.Method("f", "()I"); m.Int(70000); m.Return() }},
		{`descriptor "(Lx)V"`, func(c *classfile.Class) { c.Method("f", "(Lx)V").Return() }},
		{`descriptor "()"`, func(c *classfile.Class) { c.Method("f", "()").Return() }},
		{`descriptor "(V)V"`, func(c *classfile.Class) { c.Method("f", "(V)V").Return() }},
		{`descriptor "([)V"`, func(c *classfile.Class) { c.Method("f", "([)V").Return() }},
		{`descriptor "JJ"`, func(c *classfile.Class) { m := c.Method("f", "()V"); m.This(); m.Virtual("a/B", "g", "JJ") }},
		{"257 slots", func(c *classfile.Class) { c.Method("f", "("+strings.Repeat("J", 128)+")V").Return() }},
		{"constant of 70000 bytes", func(c *classfile.Class) {
			m := c.Method("f", "()Ljava/lang/String;")
			m.String(strings.Repeat("x", 70000))
			m.Return()
		}},
		{"more than 65534 constants", func(c *classfile.Class) {
			for f := range 20 {
				m := c.Method(fmt.Sprint("f", f), "()V")
				for i := range 2000 {
					m.String(fmt.Sprint(f, i))
					m.Static("a/B", "take", "(Ljava/lang/String;)V")
				}
				m.Return()
			}
		}},
	} {
		t.Run(c.want, func(t *testing.T) {
			class := classfile.New("a/B", "java/lang/Object")
			c.make(class)
			if _, err := class.Bytes(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// A JVM reads a character beyond the basic plane as a surrogate pair, and NUL as two bytes (JVMS 4.4.7).
func TestModifiedUTF8(t *testing.T) {
	c := classfile.New("a/B", "java/lang/Object")
	m := c.Method("f", "()Ljava/lang/String;")
	m.String("\x00é€😀")
	m.Return()
	got, err := c.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if want := unhex("01", "000d", "c080", "c3a9", "e282ac", "eda0bd", "edb880"); !bytes.Contains(got, want) {
		t.Errorf("%x does not hold %x", got, want)
	}
}
