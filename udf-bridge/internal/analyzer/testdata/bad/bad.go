// Package bad holds one line for each thing that ends a TaskManager. The test reads the rule from the comment.
package bad

import (
	"context"
	"log"
	stdlog "log"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

var exit = os.Exit // want exit

// Register is as it should be.
func Register(r *udf.Registry) {
	udf.Scalar(r, "bad", bad)
}

func init() {
	go func() {}() // want goroutine
}

func bad(ctx context.Context, in int64) (int64, error) {
	if in < 0 {
		log.Fatal("negative")             // want exit
		stdlog.Fatalf("negative: %d", in) // want exit
		log.Default().Fatalln(in)         // want exit
		os.Exit(1)                        // want exit
		syscall.Exit(1)                   // want exit
		runtime.Goexit()                  // want exit
		exit(1)
	}
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGTERM) // want exit
	_ = syscall.Exec("/bin/true", nil, nil)             // want exit
	var group sync.WaitGroup
	group.Go(func() {})               // want goroutine
	time.AfterFunc(0, func() {})      // want goroutine
	context.AfterFunc(ctx, func() {}) // want goroutine
	var failing errgroup.Group
	failing.Go(func() error { return nil }) // want goroutine
	c := make(chan os.Signal, 1)
	signal.Notify(c)       // want signal
	runtime.LockOSThread() // want thread warning
	type holder struct{ sync.WaitGroup }
	var h holder
	h.Go(func() {}) // want goroutine
	return in, nil
}
