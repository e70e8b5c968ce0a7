//go:build drey_stdjson || !(amd64 || arm64)

package fastjson

import "encoding/json"

// Engine says what reads and writes.
const Engine = "encoding/json"

func newDecoder[T any]() *Decoder[T] { return &Decoder[T]{} }

// Append appends v as one JSON value. With an error it returns dst as it was.
func Append(dst []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return append(dst, text...), err
}
