//go:build drey_stdjson || !(amd64 || arm64)

package fastjson

import "encoding/json"

// Engine says what reads and writes.
const Engine = "encoding/json"

func newDecoder[T any]() *Decoder[T] { return &Decoder[T]{} }

// Encode writes v as one JSON value.
func Encode(v any) ([]byte, error) { return json.Marshal(v) }
