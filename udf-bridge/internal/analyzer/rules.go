package analyzer

import (
	"fmt"
	"go/types"
	"slices"
	"strings"
)

// Rule is a kind of danger, by the name that --allow takes.
type Rule string

// The rules. A finding of a rule that only warns does not stop a build.
const (
	Exit      Rule = "exit"      // ends the process
	Goroutine Rule = "goroutine" // starts a goroutine whose panic ends the process
	Signal    Rule = "signal"    // takes signals away from the JVM
	Cgo       Rule = "cgo"       // warns: C code of the user's own
	Thread    Rule = "thread"    // warns: ties a goroutine to a thread that is Flink's
)

// warns are the rules that do not refuse.
var warns = map[Rule]bool{Cgo: true, Thread: true}

// Allowed reads the value of --allow.
func Allowed(names []string) (map[Rule]bool, error) {
	all := []string{string(Exit), string(Goroutine), string(Signal), string(Cgo), string(Thread)}
	allowed := map[Rule]bool{}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("--allow %s: no such rule; there are %s", name, strings.Join(all, ", "))
		}
		allowed[Rule(name)] = true
	}
	return allowed, nil
}

// danger is why a function must not be used and what to use instead.
type danger struct {
	rule    Rule
	why     string
	instead string
}

var (
	ends   = danger{Exit, "ends the TaskManager with every job in it", "return an error"}
	bare   = danger{Goroutine, "runs the function in a goroutine of its own, where a panic ends the TaskManager", "use udf.Go(ctx, fn): a panic is an error of the call"}
	steals = danger{Signal, "takes signals that the JVM needs", "return when ctx is done"}
	ties   = danger{Thread, "ties the goroutine to a thread of Flink's, and unlocking it wrongly ends that thread", "leave it out unless a C library asks for it"}
)

// dangers are the functions that must not be used, by types.Func.FullName.
var dangers = map[string]danger{
	"os.Exit":                    ends,
	"syscall.Exit":               ends,
	"syscall.Kill":               {Exit, "can end the TaskManager", "return an error"},
	"syscall.Exec":               {Exit, "replaces the TaskManager by another program", "use os/exec"},
	"golang.org/x/sys/unix.Exit": ends,
	"golang.org/x/sys/unix.Kill": {Exit, "can end the TaskManager", "return an error"},
	"golang.org/x/sys/unix.Exec": {Exit, "replaces the TaskManager by another program", "use os/exec"},
	"runtime.Goexit":             {Exit, "ends the TaskManager when the goroutine is the one of a call", "return an error"},
	"log.Fatal":                  ends,
	"log.Fatalf":                 ends,
	"log.Fatalln":                ends,
	"(*log.Logger).Fatal":        ends,
	"(*log.Logger).Fatalf":       ends,
	"(*log.Logger).Fatalln":      ends,

	"(*sync.WaitGroup).Go":                      bare,
	"time.AfterFunc":                            bare,
	"context.AfterFunc":                         bare,
	"(*golang.org/x/sync/errgroup.Group).Go":    bare,
	"(*golang.org/x/sync/errgroup.Group).TryGo": bare,

	"os/signal.Notify":        steals,
	"os/signal.NotifyContext": steals,
	"os/signal.Ignore":        steals,
	"os/signal.Reset":         steals,

	"runtime.LockOSThread": ties,
}

// dangerOf looks a used object up.
func dangerOf(object types.Object) (danger, string, bool) {
	f, ok := object.(*types.Func)
	if !ok {
		return danger{}, "", false
	}
	name := f.Origin().FullName()
	d, ok := dangers[name]
	return d, name, ok
}
