package rowcodec

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxDepth bounds nesting; deeper types are refused rather than walked.
const maxDepth = 64

// ParseType reads a type as Flink writes it (LogicalType.asSerializableString): DECIMAL(10, 2) NOT NULL,
// ROW<`a` BIGINT NOT NULL, `b` ARRAY<STRING>>. Without NOT NULL it is nullable. Synonyms, defaults and ranges are those of
// Flink's LogicalTypeParser; a type that no row can hold is refused.
func ParseType(text string) (*Type, error) {
	p := &typeParser{rest: text}
	t, err := p.parse(0)
	if p.space(); err == nil && p.rest != "" {
		err = fmt.Errorf("%q is left over", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("type %q: %w", text, err)
	}
	return t, nil
}

type typeParser struct{ rest string }

func (p *typeParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// symbol takes a punctuation mark.
func (p *typeParser) symbol(s string) bool {
	p.space()
	if !strings.HasPrefix(p.rest, s) {
		return false
	}
	p.rest = p.rest[len(s):]
	return true
}

// need takes a punctuation mark that must be there.
func (p *typeParser) need(s string) error {
	if !p.symbol(s) {
		return fmt.Errorf("a %s is needed at %q", s, p.rest)
	}
	return nil
}

// identifier takes the letters, digits and underscores that are next.
func (p *typeParser) identifier() string {
	p.space()
	n := 0
	for n < len(p.rest) {
		c := p.rest[n]
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c < 0x80 {
			break
		}
		n++
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

// words takes these keywords if they are next.
func (p *typeParser) words(want ...string) bool {
	before := p.rest
	for _, w := range want {
		if strings.ToUpper(p.identifier()) != w {
			p.rest = before
			return false
		}
	}
	return true
}

func (p *typeParser) number() (int, error) {
	digits := p.identifier()
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("a number is needed at %q", digits+p.rest)
	}
	return int(n), nil
}

// numbers takes up to two numbers in parentheses; what is not there stays as it is.
func (p *typeParser) numbers(into ...*int) (err error) {
	if !p.symbol("(") {
		return nil
	}
	for i, n := range into {
		if i > 0 && !p.symbol(",") {
			break
		}
		if *n, err = p.number(); err != nil {
			return err
		}
	}
	return p.need(")")
}

func within(what string, n, low, high int) error {
	if n < low || n > high {
		return fmt.Errorf("%s of %d, it is %d to %d", what, n, low, high)
	}
	return nil
}

func (p *typeParser) parse(depth int) (*Type, error) {
	if depth >= maxDepth {
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
	switch word := strings.ToUpper(p.identifier()); word {
	case "BOOLEAN", "TINYINT", "SMALLINT", "BIGINT", "FLOAT", "DATE":
		t.Root = Root(word)
	case "INT", "INTEGER":
		t.Root = Int
	case "DOUBLE":
		t.Root = Double
		p.words("PRECISION")
	case "STRING":
		t.Root, t.Length = VarChar, math.MaxInt32
	case "BYTES":
		t.Root, t.Length = VarBinary, math.MaxInt32
	case "CHAR", "VARCHAR", "BINARY", "VARBINARY":
		t.Root, t.Length = Root(word), 1
		if err := p.numbers(&t.Length); err != nil {
			return err
		}
		return within("length", t.Length, 1, math.MaxInt32)
	case "DECIMAL", "DEC", "NUMERIC":
		t.Root, t.Precision = Decimal, 10
		if err := p.numbers(&t.Precision, &t.Scale); err != nil {
			return err
		}
		if err := within("precision", t.Precision, 1, 38); err != nil {
			return err
		}
		return within("scale", t.Scale, 0, t.Precision)
	case "TIME":
		t.Root = Time
		if err := p.numbers(&t.Precision); err != nil {
			return err
		}
		p.words("WITHOUT", "TIME", "ZONE")
		return within("precision", t.Precision, 0, 9)
	case "TIMESTAMP", "TIMESTAMP_LTZ":
		t.Root, t.Precision = Root(word), 6
		if err := p.numbers(&t.Precision); err != nil {
			return err
		}
		if t.Root == Timestamp && !p.words("WITHOUT", "TIME", "ZONE") && p.words("WITH", "LOCAL", "TIME", "ZONE") {
			t.Root = TimestampLTZ
		}
		return within("precision", t.Precision, 0, 9)
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

// units are the units of an interval of each kind, from the largest.
var units = map[Root][]string{Months: {"YEAR", "MONTH"}, Millis: {"DAY", "HOUR", "MINUTE", "SECOND"}}

func (p *typeParser) interval(t *Type) error {
	first, most := strings.ToUpper(p.identifier()), 0
	switch {
	case slices.Contains(units[Months], first):
		t.Root, most = Months, 4
	case slices.Contains(units[Millis], first):
		t.Root, most = Millis, 6
	default:
		return fmt.Errorf("INTERVAL needs a unit, and %q is none", first)
	}
	t.Units = first
	if first == "YEAR" || first == "DAY" {
		t.Precision = 2
		if err := p.numbers(&t.Precision); err != nil {
			return err
		}
		if err := within("precision", t.Precision, 1, most); err != nil {
			return err
		}
	}
	last := first
	if p.words("TO") {
		last = strings.ToUpper(p.identifier())
		t.Units = first + " TO " + last
		if slices.Index(units[t.Root], last) <= slices.Index(units[t.Root], first) {
			return fmt.Errorf("INTERVAL %s is none", t.Units)
		}
	}
	if last == "SECOND" {
		t.Scale = 6
		if err := p.numbers(&t.Scale); err != nil {
			return err
		}
		return within("precision", t.Scale, 0, 9)
	}
	return nil
}

func (p *typeParser) collection(t *Type, root Root, depth int) error {
	t.Root = root
	if err := p.need("<"); err != nil {
		return err
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
		if err := p.need(","); err != nil {
			return err
		}
		if t.Element, err = p.parse(depth + 1); err != nil {
			return err
		}
	}
	return p.need(">")
}

func (p *typeParser) row(t *Type, depth int) error {
	t.Root = Row
	end := ">"
	if !p.symbol("<") {
		if end = ")"; !p.symbol("(") {
			return fmt.Errorf("ROW needs a < at %q", p.rest)
		}
	}
	if p.symbol(end) {
		return nil
	}
	seen := map[string]bool{}
	for {
		name, err := p.name()
		if err != nil {
			return err
		}
		if seen[name] || strings.TrimSpace(name) == "" {
			return fmt.Errorf("the name %q of a field is empty, or there twice", name)
		}
		seen[name] = true
		field, err := p.parse(depth + 1)
		if err != nil {
			return err
		}
		if p.symbol("'") { // what Flink writes after a field that has a description
			if _, err := p.quoted("'"); err != nil {
				return err
			}
		}
		t.Names, t.Fields = append(t.Names, name), append(t.Fields, field)
		if !p.symbol(",") {
			return p.need(end)
		}
	}
}

// name takes the name of a ROW's field: in backquotes, or a bare word.
func (p *typeParser) name() (string, error) {
	if p.symbol("`") {
		return p.quoted("`")
	}
	name := p.identifier()
	if name == "" {
		return "", fmt.Errorf("a field's name is needed at %q", p.rest)
	}
	return name, nil
}

// quoted takes what is left up to a closing quote; two of them stand for one.
func (p *typeParser) quoted(quote string) (string, error) {
	var text strings.Builder
	for {
		part, rest, found := strings.Cut(p.rest, quote)
		if !found {
			return "", fmt.Errorf("a %s is needed after %q", quote, p.rest)
		}
		text.WriteString(part)
		p.rest = rest
		if !strings.HasPrefix(p.rest, quote) {
			return text.String(), nil
		}
		text.WriteString(quote)
		p.rest = p.rest[1:]
	}
}
