package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A load generator that costs little itself, since it shares the machine with what it measures: requests are ready-made
// bytes on keep-alive connections, and of an answer only the status and the length are read.

// request makes the bytes of the nth call.
type request func(n int64) []byte

func post(path, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// sample is one answered call.
type sample struct {
	status  int
	latency time.Duration
}

type load struct {
	addr        string
	connections int
	request     request
	calls       int64         // stop after so many; 0 = by time
	duration    time.Duration // stop after so long; 0 = by calls
	rate        float64       // calls a second over all connections; 0 = as many as are answered
}

// result of a load. Latencies of a paced load count from when the call was due, not from when it could be sent, so a
// stalled server is charged for the calls that it held up.
type result struct {
	samples []sample
	elapsed time.Duration
}

func (r result) perSecond() float64 { return float64(len(r.samples)) / r.elapsed.Seconds() }

func (r result) quantile(q float64, keep func(sample) bool) time.Duration {
	var latencies []time.Duration
	for _, s := range r.samples {
		if keep(s) {
			latencies = append(latencies, s.latency)
		}
	}
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	return latencies[min(len(latencies)-1, int(q*float64(len(latencies))))]
}

func all(sample) bool { return true }

func (l load) run(ctx context.Context) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		next    atomic.Int64
		mu      sync.Mutex
		total   result
		failure error
		wg      sync.WaitGroup
	)
	start := time.Now()
	for range l.connections {
		wg.Go(func() {
			samples, err := l.connection(ctx, start, &next)
			mu.Lock()
			defer mu.Unlock()
			total.samples = append(total.samples, samples...)
			if err != nil && failure == nil {
				failure = err
				cancel()
			}
		})
	}
	wg.Wait()
	total.elapsed = time.Since(start)
	return total, failure
}

func (l load) connection(ctx context.Context, start time.Time, next *atomic.Int64) ([]sample, error) {
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 16<<10)
	var samples []sample
	for ctx.Err() == nil {
		n := next.Add(1) - 1
		due := time.Now()
		if l.rate > 0 {
			due = start.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
			time.Sleep(time.Until(due))
		}
		if l.calls > 0 && n >= l.calls || l.duration > 0 && due.Sub(start) >= l.duration {
			break
		}
		if _, err := conn.Write(l.request(n)); err != nil {
			return samples, err
		}
		status, err := readAnswer(reader)
		if err != nil {
			return samples, err
		}
		samples = append(samples, sample{status, time.Since(due)})
	}
	return samples, nil
}

func readAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("answer begins with %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("answer begins with %q", line)
	}
	length := -1
	for {
		line, err = r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok && bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, fmt.Errorf("content length %q", value)
			}
		}
	}
	if length < 0 {
		return 0, fmt.Errorf("an answer without Content-Length")
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return status, err
}
