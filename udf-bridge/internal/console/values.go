package console

import (
	"fmt"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

// Values write and read messages of the row codec; the values are in the JSON form that package rowcodec defines.
type Values struct{ types []*rowcodec.Type }

// Codecs are those of a function's arguments and of its result.
func Codecs(f manifest.Function) (in, out Values, err error) {
	if in, err = values(f.Arguments); err != nil {
		return in, out, fmt.Errorf("arguments: %w", err)
	}
	if out, err = values(ResultColumns(f)); err != nil {
		return in, out, fmt.Errorf("result: %w", err)
	}
	return in, out, nil
}

func values(columns []manifest.Column) (Values, error) {
	var v Values
	for _, c := range columns {
		t, err := rowcodec.ParseType(c.SQL)
		if err != nil {
			return v, fmt.Errorf("%s: %w", c.Name, err)
		}
		v.types = append(v.types, t)
	}
	return v, nil
}

// ResultColumns are the columns of a result: the fields of a ROW that is never NULL, else the result itself.
func ResultColumns(f manifest.Function) []manifest.Column {
	if Flattened(f) {
		return f.Result.Type.Fields
	}
	return []manifest.Column{f.Result}
}

// Flattened says whether a result's columns are the fields of its ROW.
func Flattened(f manifest.Function) bool { return f.Result.Type.Root == "ROW" && !f.Result.Nullable() }

// Encode writes a message.
func (v Values) Encode(rows [][]any) ([]byte, error) { return rowcodec.Encode(v.types, rows) }

// Decode reads a message.
func (v Values) Decode(message []byte) ([][]any, error) { return rowcodec.Decode(v.types, message) }
