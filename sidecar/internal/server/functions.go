package server

import (
	"fmt"

	"github.com/drey-flink/drey/sidecar/functions/counter"
	"github.com/drey-flink/drey/sidecar/functions/flights"
	"github.com/drey-flink/drey/sidecar/functions/fraud"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Functions returns what a sidecar serves: the user's functions, and those built-in ones whose names are still free.
// More are built-in ones that exist only in this configuration.
func Functions(user []func(*udf.Registry), more ...func(*udf.Registry)) (*udf.Registry, error) {
	registry := udf.NewRegistry()
	for _, register := range user {
		register(registry)
	}
	builtIn := udf.NewRegistry()
	for _, register := range append(more, fraud.Register, flights.Register, counter.Register) {
		register(builtIn)
	}
	registry.AddMissing(builtIn)
	if err := registry.Err(); err != nil {
		return nil, fmt.Errorf("registered functions: %w", err)
	}
	return registry, nil
}
