package stateful_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"testing"

	"github.com/drey-flink/drey/sidecar/functions/counter"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/stateful"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// BenchmarkEvaluate compares a call that reads, updates and decides with one that decides, without a transport.
func BenchmarkEvaluate(b *testing.B) {
	for _, kind := range []string{"stateless", "local", "session", "session with a log"} {
		b.Run(kind, func(b *testing.B) { benchmarkEvaluate(b, kind) })
	}
}

func benchmarkEvaluate(b *testing.B, kind string) {
	config := session.DefaultConfig()
	if kind == "session with a log" {
		config.Folder = b.TempDir()
	}
	sessions, err := session.New(config, memory.New(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := sessions.Shutdown(); err != nil {
			b.Error(err)
		}
	})
	const groups = 128
	token, err := sessions.Open(b.Context(), session.Spec{Job: "j", Operator: "op", MaxParallelism: groups, KeyGroups: statestore.Range{To: groups - 1}})
	if err != nil {
		b.Fatal(err)
	}
	registry := udf.NewRegistry()
	counter.Register(registry)
	udf.JSON(registry, "echo", func(_ context.Context, in counter.Event) (counter.Answer, error) {
		return counter.Answer{Count: 1, ID: in.ID}, nil
	})
	metrics, err := telemetry.NewMetrics("bench")
	if err != nil {
		b.Fatal(err)
	}
	cfg := evaluate.DefaultConfig()
	cfg.DefaultFunction, cfg.Admission.MaxInFlight = "count", 1024
	if kind == "stateless" {
		cfg.DefaultFunction = "echo"
	}
	service, err := evaluate.New(cfg, registry, nil, metrics)
	if err != nil {
		b.Fatal(err)
	}
	service.KeepState(stateful.New(sessions, statestore.Limits{}))
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = fmt.Sprint("account-", i)
	}
	n := 0
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		key := keys[n%len(keys)]
		request := evaluate.Request{ID: fmt.Sprint("op-0-", n), Event: []byte(`{"id":17,"amount":12.5}`)}
		switch kind {
		case "stateless":
		case "local":
			request.State = &evaluate.State{Key: key, Watermark: math.MinInt64}
		default:
			request.State = &evaluate.State{Session: token.String(), Key: key, KeyGroup: statestore.KeyGroup(statestore.HashString(key), groups), Watermark: math.MinInt64}
		}
		if _, err := service.Evaluate(b.Context(), request); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
