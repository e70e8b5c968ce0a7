package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

const (
	connections = 64
	rounds      = 7
	roundTime   = 3 * time.Second
)

// event is a small transaction, about what a job sends.
const event = `{"accountId":4711,"timestamp":1764000000000,"amount":123.45,"device":"d-1234","region":"DE"}`

// buildSubject builds the program under test into dir.
func buildSubject(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "subject")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./sidecar/internal/benchmark/subject")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build the subject (run this from the root of the checkout): %w", err)
	}
	return binary, nil
}

func benchSidecar(ctx context.Context, r *Report) error {
	dir, err := os.MkdirTemp("", "drey-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := buildSubject(ctx, dir)
	if err != nil {
		return err
	}
	if err := benchThroughput(ctx, r, dir, binary); err != nil {
		return err
	}
	return benchOverload(ctx, r, dir, binary)
}

func benchThroughput(ctx context.Context, r *Report, dir, binary string) error {
	echo, err := start(dir, binary, "echo")
	if err != nil {
		return err
	}
	defer echo.stop()
	sidecar, err := startSidecar(ctx, dir, binary, "--evaluate-default-function", "noop")
	if err != nil {
		return err
	}
	defer sidecar.stop()

	plain := func(int64) []byte { return post("/evaluate", `{"event":`+event+`}`) }
	body := plain(0)
	plain = func(int64) []byte { return body }
	var ours, theirs, ratios []float64
	for round := range rounds + 1 { // in turn, so that a slow moment of the machine hits both
		b, err := load{addr: echo.addr, connections: connections, request: plain, duration: roundTime}.run(ctx)
		if err != nil {
			return fmt.Errorf("echo handler: %w", err)
		}
		a, err := load{addr: sidecar.addr, connections: connections, request: plain, duration: roundTime}.run(ctx)
		if err != nil {
			return fmt.Errorf("sidecar: %w", err)
		}
		if bad := a.quantile(1, func(s sample) bool { return s.status != 200 }); bad != 0 {
			return fmt.Errorf("the sidecar answered something else than 200")
		}
		if round == 0 {
			continue // warm-up
		}
		ours, theirs, ratios = append(ours, a.perSecond()), append(theirs, b.perSecond()), append(ratios, a.perSecond()/b.perSecond())
	}
	r.Cases = append(r.Cases, Case{
		Case: "evaluate, no-op function", Against: "bare net/http echo", Ours: median(ours), Theirs: median(theirs),
		Unit: "requests/s", Ratio: median(ratios), Goal: 0.7,
		Note: fmt.Sprintf("median of %d rounds in turn, %d keep-alive connections", rounds, connections),
	})

	paced, err := load{addr: sidecar.addr, connections: connections, request: plain, duration: 10 * time.Second, rate: median(ours) / 2}.run(ctx)
	if err != nil {
		return err
	}
	p99 := paced.quantile(0.99, all)
	r.less(Case{
		Case: "evaluate, p99 at half of that load", Against: "goal", Ours: ms(p99), Theirs: 10, Unit: "ms", Goal: 1,
		Note: fmt.Sprintf("%.0f requests/s, p50 %.2f ms; latency counts from when a request was due", paced.perSecond(), ms(paced.quantile(0.5, all))),
	})

	// Each call has an id of its own, so the store of answers is full (it is bounded) before the first measurement.
	const warm, million = 200_000, 1_000_000
	withID := func(first int64) request {
		return func(n int64) []byte {
			return post("/evaluate", fmt.Sprintf(`{"id":"bench-%09d","event":%s}`, first+n, event))
		}
	}
	if _, err := (load{addr: sidecar.addr, connections: connections, request: withID(0), calls: warm}).run(ctx); err != nil {
		return err
	}
	before, err := sidecar.heapBytes()
	if err != nil {
		return err
	}
	if _, err := (load{addr: sidecar.addr, connections: connections, request: withID(warm), calls: million}).run(ctx); err != nil {
		return err
	}
	after, err := sidecar.heapBytes()
	if err != nil {
		return err
	}
	r.less(Case{
		Case: "heap after 1,000,000 more calls", Against: "heap before", Ours: after / 1e6, Theirs: before / 1e6, Unit: "MB", Goal: 0.95,
		Note: "live heap after a garbage collection; each call has a new id, 100,000 answers are remembered",
	})
	return nil
}

// benchOverload asks for ten times as many calls at once as may run.
func benchOverload(ctx context.Context, r *Report, dir, binary string) error {
	const limit = 32
	sidecar, err := startSidecar(ctx, dir, binary, "--evaluate-default-function", "wait",
		"--evaluate-admission-max-in-flight", fmt.Sprint(limit), "--evaluate-admission-queue", fmt.Sprint(limit))
	if err != nil {
		return err
	}
	defer sidecar.stop()
	body := post("/evaluate", `{"event":{"milliseconds":20}}`)
	got, err := load{addr: sidecar.addr, connections: 10 * limit, request: func(int64) []byte { return body }, duration: 5 * time.Second}.run(ctx)
	if err != nil {
		return err
	}
	var served, shed, other float64
	for _, s := range got.samples {
		switch s.status {
		case 200:
			served++
		case 503:
			shed++
		default:
			other++
		}
	}
	total := served + shed + other
	r.more(Case{
		Case: "overload: answers that are 200 or 503", Against: "all answers", Ours: served + shed, Theirs: total, Unit: "answers", Goal: 1,
		Note: fmt.Sprintf("10x the in-flight limit of %d on a 20 ms function: %.0f served, %.0f shed", limit, served, shed),
	})
	r.less(Case{
		Case: "overload: median of a shed answer", Against: "goal", Unit: "ms", Theirs: 10, Goal: 1,
		Ours: ms(got.quantile(0.5, func(s sample) bool { return s.status == 503 })),
	})
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
