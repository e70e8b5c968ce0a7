// Package fastjson reads and writes JSON by sonic where it runs (amd64 and arm64), by encoding/json elsewhere and with
// the build tag drey_stdjson. Which of the two it is makes no difference but in time: verdicts and values are those of
// encoding/json, whatever the text is. The cases of testdata and a differential fuzz test hold them to it.
package fastjson

import "encoding/json"

// Decoder reads JSON values of type T. It is safe for concurrent use.
type Decoder[T any] struct {
	engine func(data []byte, v *T) error // never refuses what encoding/json accepts otherwise
	plain  func(data []byte) bool        // the engine and encoding/json agree on it if the engine accepts it
}

// NewDecoder prepares for T, which takes longer than a call of Decode does.
func NewDecoder[T any]() *Decoder[T] { return newDecoder[T]() }

// Decode reads one JSON value. Nothing of data is kept, and it is not changed. With an error the value is T's zero value.
func (d *Decoder[T]) Decode(data []byte) (T, error) {
	if d.engine != nil && d.plain(data) {
		var v T
		if d.engine(data, &v) == nil {
			return v, nil
		}
	}
	return standard[T](data) // also what is wrong with it is said in one way only
}

// standard reads by encoding/json.
func standard[T any](data []byte) (T, error) {
	var v, zero T
	if err := json.Unmarshal(data, &v); err != nil {
		return zero, err
	}
	return v, nil
}
