// Package argument reads the arguments of a function as a person types them on a command line, into the JSON form of
// values that package rowcodec defines.
package argument

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// Parse reads the text of one argument. Numbers, booleans, dates and texts are written plainly; NULL is null; ARRAY is a
// JSON list, ROW a list or an object, MAP and MULTISET an object or a list of pairs; bytes are hexadecimal after 0x, or
// base64. A text that looks like something else is put into JSON's quotes: "null".
func Parse(c manifest.Column, text string) (any, error) {
	var value any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		value = text
	} else if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		value = text // more than one value: 2026-11-23 begins with a number
	}
	if _, quoted := value.(string); !quoted && plain(c.Type.Root) && !(value == nil && c.Nullable()) {
		value = text
	}
	return convert(c, value)
}

// plain says whether a type is written without quotes though JSON has it as a string.
func plain(root string) bool {
	switch name(root) {
	case "CHAR", "VARCHAR", "STRING", "DECIMAL", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ":
		return true
	default:
		return false
	}
}

func name(root string) string {
	if i := strings.IndexByte(root, '('); i >= 0 && !strings.HasPrefix(root, "INTERVAL") {
		return root[:i]
	}
	return root
}

// Row reads the arguments of one call out of a line of JSON: a list, an object by their names, or, of one argument, the
// value alone.
func Row(columns []manifest.Column, line []byte) ([]any, error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("not JSON: %w; a line holds the arguments of one row as a list, [12.5, \"DE\"]", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value in a line; a line holds the arguments of one row as a list")
	}
	_, list := value.([]any)
	if _, object := value.(map[string]any); !list && !object && len(columns) == 1 {
		value = []any{value}
	}
	return row(columns, value)
}

func row(columns []manifest.Column, value any) ([]any, error) {
	values := make([]any, len(columns))
	switch v := value.(type) {
	case []any:
		if len(v) != len(columns) {
			return nil, fmt.Errorf("%d values, want %d (%s)", len(v), len(columns), names(columns))
		}
		copy(values, v)
	case map[string]any:
		for key := range v {
			if !slices.ContainsFunc(columns, func(c manifest.Column) bool { return c.Name == key }) {
				return nil, fmt.Errorf("no field %q, there are %s", key, names(columns))
			}
		}
		for i, c := range columns {
			values[i] = v[c.Name]
		}
	default:
		return nil, fmt.Errorf("%s, want a list or an object of %s", kind(value), names(columns))
	}
	for i, c := range columns {
		var err error
		if values[i], err = convert(c, values[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return values, nil
}

func names(columns []manifest.Column) string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.Name
	}
	return strings.Join(all, ", ")
}

func kind(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// convert turns what people write into the JSON form of values. What does not fit the type is left for the codec to name,
// unless it is of the wrong shape.
func convert(c manifest.Column, value any) (any, error) {
	if value == nil {
		if !c.Nullable() {
			return nil, fmt.Errorf("is NULL, but the function takes %s", c.SQL)
		}
		return nil, nil
	}
	switch name(c.Type.Root) {
	case "DECIMAL":
		if n, ok := value.(json.Number); ok {
			return n.String(), nil
		}
	case "BINARY", "VARBINARY", "BYTES":
		if s, ok := value.(string); ok {
			return bytesOf(s)
		}
	case "ARRAY":
		return list(value, c.Type.Element)
	case "MAP":
		return pairs(value, manifest.Column{Type: *c.Type.Key, SQL: " NOT NULL"}, *c.Type.Element)
	case "MULTISET":
		return pairs(value, *c.Type.Element, manifest.Column{Type: manifest.Type{Root: "INT"}, SQL: "INT NOT NULL"})
	case "ROW":
		return row(c.Type.Fields, value)
	}
	return value, nil
}

// bytesOf reads 0x and hexadecimal digits, or base64.
func bytesOf(s string) (any, error) {
	if digits, ok := strings.CutPrefix(s, "0x"); ok {
		if _, err := hex.DecodeString(digits); err != nil {
			return nil, fmt.Errorf("bytes %q: %w", s, err)
		}
		return map[string]any{"hex": digits}, nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("bytes %q: neither 0x and hexadecimal digits nor base64", s)
	}
	return map[string]any{"hex": hex.EncodeToString(b)}, nil
}

func list(value any, element *manifest.Column) (any, error) {
	values, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s, want a list", kind(value))
	}
	all := make([]any, len(values))
	for i, v := range values {
		var err error
		if all[i], err = convert(*element, v); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return all, nil
}

// pairs reads an object, whose keys are texts, or a list of [key, value]. The pairs of an object are in order of the keys.
func pairs(value any, key, element manifest.Column) (any, error) {
	var all []any
	switch v := value.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			all = append(all, []any{k, v[k]})
		}
		for _, p := range all {
			pair := p.([]any)
			k, err := Parse(key, pair[0].(string))
			if err != nil {
				return nil, fmt.Errorf("key %q: %w", pair[0], err)
			}
			pair[0] = k
			if pair[1], err = convert(element, pair[1]); err != nil {
				return nil, fmt.Errorf("[%v]: %w", k, err)
			}
		}
	case []any:
		for i, p := range v {
			pair, ok := p.([]any)
			if !ok || len(pair) != 2 {
				return nil, fmt.Errorf("[%d]: %s, want a pair [key, value]", i, kind(p))
			}
			k, err := convert(key, pair[0])
			if err != nil {
				return nil, fmt.Errorf("[%d]: key: %w", i, err)
			}
			e, err := convert(element, pair[1])
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			all = append(all, []any{k, e})
		}
	default:
		return nil, fmt.Errorf("%s, want an object, or a list of pairs", kind(value))
	}
	if all == nil {
		all = []any{}
	}
	return all, nil
}
