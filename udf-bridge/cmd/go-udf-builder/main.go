// Go-udf-builder makes go-udf-bridge.jar, with which Flink SQL calls Go functions inside the TaskManager.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/drey-flink/drey/udf-bridge/internal/buildercli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := buildercli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
