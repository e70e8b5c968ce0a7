package evaluate

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// BenchmarkDecisionLog is a call without and with the decision log, on many goroutines.
func BenchmarkDecisionLog(b *testing.B) {
	for _, logged := range []bool{false, true} {
		b.Run(fmt.Sprintf("logged=%t", logged), func(b *testing.B) {
			registry := udf.NewRegistry()
			udf.Raw(registry, "fraud", func(context.Context, []byte) ([]byte, error) { return []byte(`{"score":0.5,"decision":"pass"}`), nil })
			s, err := New(DefaultConfig(), registry, nil, nobody{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if logged {
				config := decisions.DefaultConfig()
				config.Dir = b.TempDir()
				l, err := decisions.Open(config, "build", slog.New(slog.DiscardHandler))
				if err != nil {
					b.Fatal(err)
				}
				ctx, stop := context.WithCancel(context.Background())
				ended := make(chan error, 1)
				go func() { ended <- l.Run(ctx) }()
				defer func() {
					stop()
					if err := <-ended; err != nil {
						b.Error(err)
					}
				}()
				s.KeepDecisions(l, "build")
			}
			event := []byte(`{"accountId":1,"timestamp":1764000000000,"amount":612.1}`)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Evaluate(context.Background(), Request{Event: event}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
