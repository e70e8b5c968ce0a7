package argument

import (
	"bytes"
	"encoding/json"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// Show turns a value in the codec's JSON form into what people read: a ROW is an object with its fields' names.
func Show(c manifest.Column, value any) any {
	list, ok := value.([]any)
	if !ok {
		return value
	}
	switch name(c.Type.Root) {
	case "ROW":
		return object{c.Type.Fields, list}
	case "ARRAY":
		shown := make([]any, len(list))
		for i, v := range list {
			shown[i] = Show(*c.Type.Element, v)
		}
		return shown
	case "MAP":
		return shownPairs(list, manifest.Column{Type: *c.Type.Key}, *c.Type.Element)
	case "MULTISET":
		return shownPairs(list, *c.Type.Element, manifest.Column{Type: manifest.Type{Root: "INT"}})
	default:
		return value
	}
}

// ShowRow is a row of those columns as an object.
func ShowRow(columns []manifest.Column, values []any) any { return object{columns, values} }

func shownPairs(list []any, key, element manifest.Column) any {
	shown := make([]any, len(list))
	for i, p := range list {
		if pair, ok := p.([]any); ok && len(pair) == 2 {
			shown[i] = []any{Show(key, pair[0]), Show(element, pair[1])}
		}
	}
	return shown
}

// object is a row whose fields keep their order in JSON.
type object struct {
	columns []manifest.Column
	values  []any
}

// MarshalJSON writes the fields in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, c := range o.columns {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := write(&b, c.Name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := write(&b, Show(c, o.values[i])); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// write appends JSON without the escapes for HTML.
func write(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line's end
	return nil
}
