package udf

import (
	"encoding/json"
	"strings"
)

// Root is the root of a SQL type, by the name Flink's SQL gives it, with its length or precision: DECIMAL(10, 2).
type Root string

// The SQL types of Go types that have exactly one. Roots with a length or a precision are made from the field's tag.
const (
	RootBoolean   Root = "BOOLEAN"
	RootTinyInt   Root = "TINYINT"
	RootSmallInt  Root = "SMALLINT"
	RootInt       Root = "INT"
	RootBigInt    Root = "BIGINT"
	RootFloat     Root = "FLOAT"
	RootDouble    Root = "DOUBLE"
	RootDecimal   Root = "DECIMAL(38, 18)" // unless tagged
	RootString    Root = "STRING"
	RootBytes     Root = "BYTES"
	RootDate      Root = "DATE"
	RootTime      Root = "TIME(3)" // what Flink keeps: milliseconds
	RootDateTime  Root = "TIMESTAMP(9)"
	RootTimestamp Root = "TIMESTAMP_LTZ(9)"
	RootMonths    Root = "INTERVAL YEAR(4) TO MONTH"
	RootDuration  Root = "INTERVAL DAY(6) TO SECOND(3)" // what Flink keeps: milliseconds
	RootArray     Root = "ARRAY"
	RootMap       Root = "MAP"
	RootMultiset  Root = "MULTISET"
	RootRow       Root = "ROW"
)

const notNull = " NOT NULL"

// Type is a SQL type. Element is set for ARRAY, MULTISET and MAP (its values), Key for MAP, Fields for ROW.
type Type struct {
	Root    Root    `json:"root"`
	Key     *Type   `json:"key,omitempty"`
	Element *Field  `json:"element,omitempty"`
	Fields  []Field `json:"fields,omitempty"`
}

// Field is a named type: an argument, a field of a ROW, the element of an ARRAY. Its JSON has also "sql", the text of
// [Field.SQL], which is not read back.
type Field struct {
	Name     string `json:"name,omitempty"`
	Type     Type   `json:"type"`
	Nullable bool   `json:"nullable"`
}

// MarshalJSON writes the field with its SQL text.
func (f Field) MarshalJSON() ([]byte, error) {
	type plain Field
	return json.Marshal(struct {
		plain
		SQL string `json:"sql"`
	}{plain(f), f.SQL()})
}

// SQL is the type with its nullability, as Flink's SQL parser reads it: DECIMAL(10, 2) NOT NULL.
func (f Field) SQL() string {
	if f.Nullable {
		return f.Type.String()
	}
	return f.Type.String() + notNull
}

// String is the type as SQL, e.g. ARRAY<STRING NOT NULL>.
func (t Type) String() string {
	switch t.Root {
	case RootArray:
		return "ARRAY<" + t.Element.SQL() + ">"
	case RootMultiset:
		return "MULTISET<" + t.Element.SQL() + ">"
	case RootMap:
		return "MAP<" + t.Key.String() + notNull + ", " + t.Element.SQL() + ">"
	case RootRow:
		fields := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = "`" + strings.ReplaceAll(f.Name, "`", "``") + "` " + f.SQL()
		}
		return "ROW<" + strings.Join(fields, ", ") + ">"
	default:
		return string(t.Root)
	}
}

// fixed says whether values of the type are numbers of at most 64 bits.
func (t Type) fixed() bool {
	switch t.Root {
	case RootBoolean, RootTinyInt, RootSmallInt, RootInt, RootBigInt, RootFloat, RootDouble, RootDate, RootTime, RootMonths, RootDuration:
		return true
	default:
		return false
	}
}
