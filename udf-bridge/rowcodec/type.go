package rowcodec

import (
	"fmt"
	"strings"
)

// Root is what a SQL type is without its length, precision and nullability.
type Root string

// The roots that have a place in a row.
const (
	Boolean      Root = "BOOLEAN"
	TinyInt      Root = "TINYINT"
	SmallInt     Root = "SMALLINT"
	Int          Root = "INT"
	BigInt       Root = "BIGINT"
	Float        Root = "FLOAT"
	Double       Root = "DOUBLE"
	Decimal      Root = "DECIMAL"
	Char         Root = "CHAR"
	VarChar      Root = "VARCHAR"
	Binary       Root = "BINARY"
	VarBinary    Root = "VARBINARY"
	Date         Root = "DATE"
	Time         Root = "TIME"
	Timestamp    Root = "TIMESTAMP"
	TimestampLTZ Root = "TIMESTAMP_LTZ"
	Months       Root = "INTERVAL YEAR TO MONTH"
	Millis       Root = "INTERVAL DAY TO SECOND"
	Array        Root = "ARRAY"
	Map          Root = "MAP"
	Multiset     Root = "MULTISET"
	Row          Root = "ROW"
)

// Type is a SQL type as the codec sees it.
type Type struct {
	Root     Root
	Nullable bool
	// Length is that of CHAR and VARCHAR in characters, of BINARY and VARBINARY in bytes.
	Length int
	// Precision is that of DECIMAL, TIME, the timestamps, and of the years or days of an interval; Scale is that of DECIMAL
	// and of the seconds of an interval.
	Precision, Scale int
	// Units are those of an interval: "YEAR TO MONTH", "SECOND". They do not change how it is encoded.
	Units string
	// Key is the key of a MAP or the element of a MULTISET.
	Key *Type
	// Element is the element of an ARRAY or the value of a MAP.
	Element *Type
	// Fields and Names are those of a ROW.
	Fields []*Type
	Names  []string
}

// count is the type of a MULTISET's values.
var count = &Type{Root: Int}

func (t *Type) value() *Type {
	if t.Root == Multiset {
		return count
	}
	return t.Element
}

// wide says whether a slot of the type has 16 bytes.
func (t *Type) wide() bool {
	switch t.Root {
	case Decimal:
		return t.Precision > 18
	case Timestamp, TimestampLTZ:
		return t.Precision > 3
	}
	return false
}

// variable says whether the slot says where the value is.
func (t *Type) variable() bool {
	switch t.Root {
	case Char, VarChar, Binary, VarBinary, Array, Map, Multiset, Row:
		return true
	}
	return false
}

func (t *Type) slot() int {
	if t.wide() {
		return 16
	}
	return 8
}

// packed is the size of an element of an array.
func (t *Type) packed() int {
	switch t.Root {
	case Boolean, TinyInt:
		return 1
	case SmallInt:
		return 2
	case Int, Date, Time, Months, Float:
		return 4
	}
	return t.slot()
}

// String is the type as Flink writes it (LogicalType.asSerializableString), and as [ParseType] reads it.
func (t *Type) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t *Type) write(b *strings.Builder) {
	switch t.Root {
	case Char, VarChar, Binary, VarBinary:
		fmt.Fprintf(b, "%s(%d)", t.Root, t.Length)
	case Decimal:
		fmt.Fprintf(b, "DECIMAL(%d, %d)", t.Precision, t.Scale)
	case Time, Timestamp:
		fmt.Fprintf(b, "%s(%d)", t.Root, t.Precision)
	case TimestampLTZ:
		fmt.Fprintf(b, "TIMESTAMP(%d) WITH LOCAL TIME ZONE", t.Precision)
	case Months, Millis:
		first, last, _ := strings.Cut(t.Units, " TO ")
		fmt.Fprintf(b, "INTERVAL %s", first)
		switch first {
		case "YEAR", "DAY":
			fmt.Fprintf(b, "(%d)", t.Precision)
		case "SECOND":
			fmt.Fprintf(b, "(%d)", t.Scale)
		}
		if last != "" {
			fmt.Fprintf(b, " TO %s", last)
		}
		if last == "SECOND" {
			fmt.Fprintf(b, "(%d)", t.Scale)
		}
	case Array:
		b.WriteString("ARRAY<")
		t.Element.write(b)
		b.WriteByte('>')
	case Multiset:
		b.WriteString("MULTISET<")
		t.Key.write(b)
		b.WriteByte('>')
	case Map:
		b.WriteString("MAP<")
		t.Key.write(b)
		b.WriteString(", ")
		t.Element.write(b)
		b.WriteByte('>')
	case Row:
		b.WriteString("ROW<")
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(b, "`%s` ", strings.ReplaceAll(t.Names[i], "`", "``"))
			f.write(b)
		}
		b.WriteByte('>')
	default:
		b.WriteString(string(t.Root))
	}
	if !t.Nullable {
		b.WriteString(" NOT NULL")
	}
}
