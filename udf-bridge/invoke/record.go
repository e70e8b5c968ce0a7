package invoke

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// ErrorMax is the size that no error record exceeds (DREY_ERROR_MAX).
const ErrorMax = 65536

// What a record keeps of each part: a message may hold a whole document.
const (
	maxMessage = 16 << 10
	maxLink    = 2 << 10
	maxLinks   = 8
	maxFrame   = 512
	maxFrames  = 32
)

// Kinds of errors, as drey.h has them.
const (
	kindPanic    = "panic"
	kindError    = "error"
	kindInput    = "input"
	kindDeadline = "deadline"
	kindInternal = "internal"
)

// failure is what an error record says.
type failure struct {
	kind     string
	function string
	message  string
	row      int // -1: none
	chain    []string
	frames   []string
}

func internalFailure(function, format string, a ...any) *failure {
	return &failure{kind: kindInternal, function: function, message: fmt.Sprintf(format, a...), row: -1}
}

// append writes the record. Each part has a bound, and their sum is below ErrorMax.
func (f *failure) append(dst []byte) []byte {
	pairs := []pair{{"kind", f.kind}, {"message", clip(f.message, maxMessage)}}
	if f.function != "" {
		pairs = append(pairs, pair{"function", clip(f.function, maxFrame)})
	}
	if f.row >= 0 {
		pairs = append(pairs, pair{"row", strconv.Itoa(f.row)})
	}
	for i, link := range f.chain {
		pairs = append(pairs, pair{"chain." + strconv.Itoa(i), clip(link, maxLink)})
	}
	for i, frame := range f.frames {
		pairs = append(pairs, pair{"frame." + strconv.Itoa(i), clip(frame, maxFrame)})
	}
	return appendStringMap(dst, pairs)
}

// clip makes text valid UTF-8 of at most n bytes: what a user's error says may be anything, of any size.
func clip(text string, n int) string {
	const more = "..."
	cut := len(text) > n
	text = strings.ToValidUTF8(text[:min(n, len(text))], "\uFFFD")
	if !cut && len(text) <= n {
		return text
	}
	end := max(min(n, len(text))-len(more), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}

// failureOf describes an error that a function, or the plan around it, returned.
func failureOf(function string, err error) *failure {
	f := &failure{kind: kindError, function: function, message: textOf(err), row: -1}
	guarded(func() { f.classify(err) })
	return f
}

// classify asks the error what it is. Its methods are the user's, and may panic: then what was learned until then counts.
func (f *failure) classify(err error) {
	var panicked *udf.PanicError
	if errors.As(err, &panicked) { // of a goroutine of the call
		*f = *panicFailure(f.function, panicked.Value, nil)
		f.frames = stackFrames(panicked.Stack)
		return
	}
	var input *udf.InputError
	var result *udf.ResultError
	switch {
	case errors.As(err, &input), errors.As(err, &result):
		f.kind = kindInput
	case errors.Is(err, context.DeadlineExceeded):
		f.kind = kindDeadline
	}
	f.addChain(err)
}

func guarded(do func()) {
	defer func() { _ = recover() }()
	do()
}

// addChain lists err and what it wraps, depth first, as "type: text".
func (f *failure) addChain(err error) {
	if err == nil || len(f.chain) == maxLinks {
		return
	}
	f.chain = append(f.chain, fmt.Sprintf("%T: %s", err, textOf(err)))
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		f.addChain(wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			f.addChain(inner)
		}
	}
}

// textOf is the error's text. Package fmt turns a panic of its Error method into text too.
func textOf(err error) string { return fmt.Sprintf("%v", err) }

// panicFailure describes a panic of a function; pcs is the stack at its recover.
func panicFailure(function string, value any, pcs []uintptr) *failure {
	f := &failure{kind: kindPanic, function: function, message: fmt.Sprintf("%v", value), row: -1}
	f.frames = framesOf(pcs)
	guarded(func() {
		if fault, ok := value.(interface{ Addr() uintptr }); ok { // of the runtime
			f.message += fmt.Sprintf(" (address %#x)", fault.Addr())
		}
		if err, ok := value.(error); ok {
			f.addChain(err)
		}
	})
	return f
}

// callers is the stack of who calls it, with the panic that is being recovered.
func callers() []uintptr {
	var pcs [128]uintptr
	return pcs[:runtime.Callers(2, pcs[:])]
}

// framesOf turns a stack into the frames of a record: from the function that panicked to the one that Flink called.
func framesOf(pcs []uintptr) []string {
	var all []string
	frames := runtime.CallersFrames(pcs)
	for more := len(pcs) > 0; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		switch {
		case strings.HasPrefix(frame.Function, "runtime."):
			if isPanic(frame.Function) {
				all = all[:0] // what is above is how the panic was caught
			}
			continue
		case strings.HasPrefix(frame.Function, packagePrefix):
			if len(all) > 0 {
				return all // what is below is how the function was called
			}
			continue
		}
		if len(all) < maxFrames {
			all = append(all, frame.Function+"\t"+path.Base(frame.File)+"\t"+strconv.Itoa(frame.Line))
		}
	}
	return all
}

func isPanic(function string) bool {
	return function == "runtime.gopanic" || function == "runtime.sigpanic"
}

// packagePrefix is that of the functions of this package.
const packagePrefix = "github.com/drey-flink/drey/udf-bridge/invoke."

// stackFrames reads the frames of a stack that [debug.Stack] printed, the innermost first.
func stackFrames(stack []byte) []string {
	lines := strings.Split(string(stack), "\n")
	var all []string
	for i := 1; i+1 < len(lines); i += 2 {
		function, place := lines[i], strings.TrimSpace(lines[i+1])
		if strings.HasPrefix(function, "panic(") {
			all = all[:0]
			continue
		}
		function, _, _ = strings.Cut(function, " in goroutine ")
		if open := strings.LastIndexByte(function, '('); open > 0 && strings.HasSuffix(function, ")") {
			function = function[:open]
		}
		place, _, _ = strings.Cut(place, " +0x")
		colon := strings.LastIndexByte(place, ':')
		if colon < 0 || strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "runtime/debug.") {
			continue
		}
		if len(all) < maxFrames {
			all = append(all, strings.TrimPrefix(function, "created by ")+"\t"+path.Base(place[:colon])+"\t"+place[colon+1:])
		}
	}
	return all
}
