package binding

import (
	"fmt"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/classfile"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// javaType is how Flink's generated code holds a SQL type: its internal data structures. Descriptor is the type of a
// parameter or result, boxed the same as an object.
type javaType struct{ descriptor, boxed string }

// fixed says whether the value is a primitive, so that it crosses to C as a number.
func (t javaType) fixed() bool { return len(t.descriptor) == 1 }

// put is the parameter type of the overload of put that takes a value of this type.
func (t javaType) put() string {
	if t.fixed() {
		return t.descriptor
	}
	return "Ljava/lang/Object;"
}

func primitive(descriptor, box string) javaType {
	return javaType{descriptor: descriptor, boxed: "Ljava/lang/" + box + ";"}
}

func object(descriptor string) javaType { return javaType{descriptor: descriptor, boxed: descriptor} }

func data(name string) javaType { return object("Lorg/apache/flink/table/data/" + name + ";") }

// byRoot are the types of NOT NULL values, by the name of the SQL type without its parameters.
var byRoot = map[string]javaType{
	"BOOLEAN":                primitive("Z", "Boolean"),
	"TINYINT":                primitive("B", "Byte"),
	"SMALLINT":               primitive("S", "Short"),
	"INT":                    primitive("I", "Integer"),
	"BIGINT":                 primitive("J", "Long"),
	"FLOAT":                  primitive("F", "Float"),
	"DOUBLE":                 primitive("D", "Double"),
	"DATE":                   primitive("I", "Integer"),
	"TIME":                   primitive("I", "Integer"),
	"INTERVAL YEAR TO MONTH": primitive("I", "Integer"),
	"INTERVAL DAY TO SECOND": primitive("J", "Long"),
	"CHAR":                   data("StringData"),
	"VARCHAR":                data("StringData"),
	"STRING":                 data("StringData"),
	"BINARY":                 object("[B"),
	"VARBINARY":              object("[B"),
	"BYTES":                  object("[B"),
	"DECIMAL":                data("DecimalData"),
	"TIMESTAMP":              data("TimestampData"),
	"TIMESTAMP_LTZ":          data("TimestampData"),
	"ARRAY":                  data("ArrayData"),
	"MAP":                    data("MapData"),
	"MULTISET":               data("MapData"),
	"ROW":                    data("RowData"),
}

// types are those of a function's arguments and of its result.
func types(f manifest.Function) (arguments []javaType, result javaType, err error) {
	for _, a := range f.Arguments {
		t, err := javaTypeOf(a.SQL, f.NullOnNull)
		if err != nil {
			return nil, result, fmt.Errorf("argument %s: %w", a.Name, err)
		}
		arguments = append(arguments, t)
	}
	if result, err = javaTypeOf(f.Result.SQL, f.NullOnNull); err != nil {
		return nil, result, fmt.Errorf("result: %w", err)
	}
	return arguments, result, nil
}

// javaTypeOf reads the SQL text of a type.
func javaTypeOf(sql string, nullable bool) (javaType, error) {
	text, notNull := strings.CutSuffix(sql, " NOT NULL")
	t, ok := byRoot[root(text)]
	if !ok {
		return t, fmt.Errorf("SQL type %s is not one this go-udf-builder knows; use the one of the Drey version in go.mod", sql)
	}
	if nullable || !notNull {
		t.descriptor = t.boxed
	}
	return t, nil
}

// root is a type's name without parameters: INTERVAL DAY(9) TO SECOND(3) -> INTERVAL DAY TO SECOND. What a composite
// type is made of does not matter to Java's signature.
func root(sql string) string {
	if i := strings.IndexByte(sql, '<'); i >= 0 {
		sql = sql[:i]
	}
	var b strings.Builder
	depth := 0
	for _, r := range sql {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func internalName(class string) string { return strings.ReplaceAll(class, ".", "/") }

// castName is the operand of a cast: an array's descriptor, else the internal name.
func castName(descriptor string) string {
	if name, ok := strings.CutPrefix(descriptor, "L"); ok {
		return strings.TrimSuffix(name, ";")
	}
	return descriptor
}

// unbox turns the object on the stack, cast to its box, into the primitive if t is one.
func unbox(m *classfile.Method, t javaType) {
	if t.fixed() {
		m.Virtual(castName(t.boxed), unboxers[t.descriptor], "()"+t.descriptor)
	}
}

var unboxers = map[string]string{
	"Z": "booleanValue", "B": "byteValue", "S": "shortValue", "I": "intValue", "J": "longValue", "F": "floatValue", "D": "doubleValue",
}

// toLong turns the primitive on the stack into the bits that cross to C.
func toLong(m *classfile.Method, descriptor string) {
	switch descriptor {
	case "J":
	case "D":
		m.Static("java/lang/Double", "doubleToRawLongBits", "(D)J")
	case "F":
		m.Static("java/lang/Float", "floatToRawIntBits", "(F)I")
		m.Op(classfile.I2L)
	default:
		m.Op(classfile.I2L)
	}
}

// fromLong turns the bits that came from C into a primitive. What needs a branch or two is a static method of the base.
func fromLong(m *classfile.Method, class, descriptor string) {
	switch descriptor {
	case "J":
	case "D":
		m.Static("java/lang/Double", "longBitsToDouble", "(J)D")
	case "F":
		m.Static(class, "toFloat", "(J)F")
	case "Z":
		m.Static(class, "isTrue", "(J)Z")
	default:
		m.Op(classfile.L2I)
		switch descriptor {
		case "B":
			m.Op(classfile.I2B)
		case "S":
			m.Op(classfile.I2S)
		}
	}
}
