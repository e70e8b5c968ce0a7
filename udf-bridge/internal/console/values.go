package console

import (
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

// Values are messages of the row codec with values in its JSON form: numbers, strings, {"hex": ...}, lists.
type Values struct{ columns []*rowcodec.Type }

// Codecs are those of a function's arguments and of its result.
func Codecs(f manifest.Function) (in, out Values, err error) {
	if in.columns, err = types(f.Arguments); err != nil {
		return in, out, err
	}
	out.columns, err = types(ResultColumns(f))
	return in, out, err
}

func types(columns []manifest.Column) ([]*rowcodec.Type, error) {
	all := make([]*rowcodec.Type, len(columns))
	for i, c := range columns {
		var err error
		if all[i], err = rowcodec.ParseType(c.SQL); err != nil {
			return nil, err
		}
	}
	return all, nil
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
func (v Values) Encode(rows [][]any) ([]byte, error) { return rowcodec.Encode(v.columns, rows) }

// Decode reads a message.
func (v Values) Decode(message []byte) ([][]any, error) { return rowcodec.Decode(v.columns, message) }
