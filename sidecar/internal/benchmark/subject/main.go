// Subject is what the sidecar benchmark measures: a sidecar whose functions do nothing, or wait, so that only Drey's own
// cost is seen; and, as `subject echo`, a bare net/http handler to compare it with. It is also the shortest sidecar of
// one's own: register, and call drey.Main.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/drey-flink/drey/sidecar/drey"
	"github.com/drey-flink/drey/sidecar/functions/counter"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "echo" {
		if err := echo(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	drey.Main(register)
}

func register(r *udf.Registry) {
	udf.Raw(r, "noop", func(context.Context, []byte) ([]byte, error) { return []byte(`{"score":0.5}`), nil })
	udf.JSON(r, "plain", plain, udf.Doc("what count does, without state"))
	udf.Scalar(r, "wait", wait, udf.Doc("answers after the given time"), udf.Deterministic(false))
}

func plain(_ context.Context, in counter.Event) (counter.Answer, error) {
	return counter.Answer{Count: int64(len(in.ID)), ID: in.ID}, nil
}

type waitIn struct {
	Milliseconds int64
}

func wait(ctx context.Context, in waitIn) (bool, error) {
	select {
	case <-time.After(time.Duration(in.Milliseconds) * time.Millisecond):
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// echo serves the least that a Go program can do with a POST: read the body, write it back. Its address is its first
// line of output.
func echo() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
}
