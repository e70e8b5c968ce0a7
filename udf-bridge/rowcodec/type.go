package rowcodec

import (
	"fmt"
	"strconv"
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
	// Precision is that of DECIMAL, TIME and the timestamps, Scale that of DECIMAL.
	Precision, Scale int
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

// ParseType reads a type as Flink writes it (LogicalType.asSerializableString): DECIMAL(10, 2) NOT NULL,
// ROW<`a` BIGINT NOT NULL, `b` ARRAY<STRING>>. Without NOT NULL it is nullable.
func ParseType(text string) (*Type, error) {
	p := &typeParser{rest: text}
	t, err := p.parse(0)
	if err == nil && p.rest != "" {
		err = fmt.Errorf("%q is left over", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("type %q: %w", text, err)
	}
	return t, nil
}

// maxDepth bounds nesting; deeper types are refused rather than walked.
const maxDepth = 64

type typeParser struct{ rest string }

func (p *typeParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n") }

// symbol takes a punctuation mark.
func (p *typeParser) symbol(s string) bool {
	p.space()
	if !strings.HasPrefix(p.rest, s) {
		return false
	}
	p.rest = p.rest[len(s):]
	return true
}

// word takes the next word, in upper case.
func (p *typeParser) word() string {
	p.space()
	n := 0
	for n < len(p.rest) && (p.rest[n] == '_' || 'a' <= p.rest[n]|0x20 && p.rest[n]|0x20 <= 'z') {
		n++
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return strings.ToUpper(word)
}

// words takes these words if they are next.
func (p *typeParser) words(want ...string) bool {
	before := p.rest
	for _, w := range want {
		if p.word() != w {
			p.rest = before
			return false
		}
	}
	return true
}

func (p *typeParser) number() (int, error) {
	p.space()
	n := 0
	for n < len(p.rest) && '0' <= p.rest[n] && p.rest[n] <= '9' {
		n++
	}
	v, err := strconv.Atoi(p.rest[:n])
	if err != nil {
		return 0, fmt.Errorf("a number is needed at %q", p.rest)
	}
	p.rest = p.rest[n:]
	return v, nil
}

// numbers takes up to two numbers in parentheses; what is not there stays as it is.
func (p *typeParser) numbers(into ...*int) error {
	if !p.symbol("(") {
		return nil
	}
	for i, v := range into {
		if i > 0 && !p.symbol(",") {
			break
		}
		n, err := p.number()
		if err != nil {
			return err
		}
		*v = n
	}
	if !p.symbol(")") {
		return fmt.Errorf("a ) is needed at %q", p.rest)
	}
	return nil
}

func (p *typeParser) parse(depth int) (*Type, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	t := &Type{}
	if err := p.body(t, depth); err != nil {
		return nil, err
	}
	t.Nullable = !p.words("NOT", "NULL")
	if t.Nullable {
		p.words("NULL")
	}
	return t, nil
}

func (p *typeParser) body(t *Type, depth int) error {
	var length int
	switch word := p.word(); word {
	case "BOOLEAN", "TINYINT", "SMALLINT", "BIGINT", "FLOAT", "DATE":
		t.Root = Root(word)
	case "INT", "INTEGER":
		t.Root = Int
	case "DOUBLE":
		t.Root = Double
		p.words("PRECISION")
	case "STRING":
		t.Root = VarChar
	case "BYTES":
		t.Root = VarBinary
	case "CHAR", "VARCHAR", "BINARY", "VARBINARY":
		t.Root = Root(word)
		return p.numbers(&length)
	case "DECIMAL", "DEC", "NUMERIC":
		t.Root, t.Precision = Decimal, 10
		if err := p.numbers(&t.Precision, &t.Scale); err != nil {
			return err
		}
		if t.Precision < 1 || t.Precision > 38 || t.Scale > t.Precision {
			return fmt.Errorf("DECIMAL(%d, %d): the precision is 1 to 38, the scale at most that", t.Precision, t.Scale)
		}
	case "TIME":
		t.Root = Time
		err := p.numbers(&t.Precision)
		p.words("WITHOUT", "TIME", "ZONE")
		return err
	case "TIMESTAMP", "TIMESTAMP_LTZ":
		t.Root, t.Precision = Root(word), 6
		if err := p.numbers(&t.Precision); err != nil {
			return err
		}
		if t.Precision > 9 {
			return fmt.Errorf("%s(%d): at most 9", word, t.Precision)
		}
		if p.words("WITH", "LOCAL", "TIME", "ZONE") {
			t.Root = TimestampLTZ
		}
		p.words("WITHOUT", "TIME", "ZONE")
	case "INTERVAL":
		return p.interval(t)
	case "ARRAY", "MULTISET", "MAP":
		return p.collection(t, Root(word), depth)
	case "ROW":
		return p.row(t, depth)
	default:
		return fmt.Errorf("%q is no type that a row can hold", word)
	}
	return nil
}

func (p *typeParser) interval(t *Type) error {
	var precision int
	first := p.word()
	if err := p.numbers(&precision); err != nil {
		return err
	}
	last := first
	if p.words("TO") {
		last = p.word()
		if err := p.numbers(&precision); err != nil {
			return err
		}
	}
	switch {
	case (first == "YEAR" || first == "MONTH") && (last == "YEAR" || last == "MONTH"):
		t.Root = Months
	case strings.Contains("DAY HOUR MINUTE SECOND", first) && strings.Contains("DAY HOUR MINUTE SECOND", last) && first != "" && last != "":
		t.Root = Millis
	default:
		return fmt.Errorf("INTERVAL %s TO %s is no interval", first, last)
	}
	return nil
}

func (p *typeParser) collection(t *Type, root Root, depth int) (err error) {
	t.Root = root
	if !p.symbol("<") {
		return fmt.Errorf("%s needs a < at %q", root, p.rest)
	}
	first, err := p.parse(depth + 1)
	if err != nil {
		return err
	}
	switch root {
	case Array:
		t.Element = first
	case Multiset:
		t.Key = first
	default:
		t.Key = first
		if !p.symbol(",") {
			return fmt.Errorf("MAP needs a comma at %q", p.rest)
		}
		if t.Element, err = p.parse(depth + 1); err != nil {
			return err
		}
	}
	if !p.symbol(">") {
		return fmt.Errorf("%s needs a > at %q", root, p.rest)
	}
	return nil
}

func (p *typeParser) row(t *Type, depth int) error {
	t.Root = Row
	end := ">"
	if !p.symbol("<") {
		if end = ")"; !p.symbol("(") {
			return fmt.Errorf("ROW needs a < at %q", p.rest)
		}
	}
	for !p.symbol(end) {
		if len(t.Fields) > 0 && !p.symbol(",") {
			return fmt.Errorf("ROW needs a comma or a %s at %q", end, p.rest)
		}
		name, err := p.name()
		if err != nil {
			return err
		}
		field, err := p.parse(depth + 1)
		if err != nil {
			return err
		}
		p.comment()
		t.Names, t.Fields = append(t.Names, name), append(t.Fields, field)
	}
	return nil
}

// name takes the name of a ROW's field: in backquotes, where two stand for one, or a bare word.
func (p *typeParser) name() (string, error) {
	if !p.symbol("`") {
		p.space()
		n := strings.IndexAny(p.rest, " \t\n,>)")
		if n <= 0 {
			return "", fmt.Errorf("a field's name is needed at %q", p.rest)
		}
		name := p.rest[:n]
		p.rest = p.rest[n:]
		return name, nil
	}
	var name strings.Builder
	for {
		part, rest, found := strings.Cut(p.rest, "`")
		if !found {
			return "", fmt.Errorf("a ` is needed after %q", p.rest)
		}
		name.WriteString(part)
		p.rest = rest
		if !strings.HasPrefix(p.rest, "`") {
			return name.String(), nil
		}
		name.WriteByte('`')
		p.rest = p.rest[1:]
	}
}

// comment skips what Flink writes after a field that has a description.
func (p *typeParser) comment() {
	if p.symbol("'") {
		for {
			_, rest, found := strings.Cut(p.rest, "'")
			p.rest = rest
			if !found || !strings.HasPrefix(rest, "'") {
				return
			}
			p.rest = rest[1:]
		}
	}
}
