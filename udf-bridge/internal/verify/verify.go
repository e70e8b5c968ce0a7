package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/console"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// Options say how the functions are called.
type Options struct {
	Start      func(ctx context.Context) (*console.Console, error) // a JVM with the jar; called again when one has died
	Parameters map[string]string                                   // job parameters that the functions see
	Progress   func(v Verdict)                                     // after each function; may be nil
}

// Verdict is what became of one function.
type Verdict struct {
	Function string    `json:"function"`
	Kind     string    `json:"kind"`
	Calls    int       `json:"calls"`
	Errors   int       `json:"errors"` // calls that ended with an error of the function's own: it may
	Panics   int       `json:"panics"`
	Problems []Problem `json:"problems"`          // panics, and whatever else must not be
	Example  string    `json:"example,omitempty"` // the first error that the function returned
}

// Problem is a call that must not have gone so.
type Problem struct {
	Case  string `json:"case"`
	What  string `json:"what"`
	Trace string `json:"trace,omitempty"` // as Java prints it, Go's frames first
}

// callTimeout is what the functions' contexts carry, in milliseconds. Who minds it has twice that before the JVM is ended.
const callTimeout = "10000"

// Functions calls each function of the build in a JVM. The error is one of the JVM, not of a function.
func Functions(ctx context.Context, m manifest.Manifest, o Options) ([]Verdict, error) {
	var verdicts []Verdict
	var c *console.Console
	defer func() {
		if c != nil {
			_ = c.Close() // it has told all that it knew
		}
	}()
	for _, f := range m.Functions {
		if c == nil {
			var err error
			if c, err = o.Start(ctx); err != nil {
				return nil, err
			}
			if _, err = c.Load(); err != nil {
				return nil, fmt.Errorf("load the library: %w", err)
			}
		}
		t := trial{Verdict: Verdict{Function: f.Name, Kind: f.Kind, Problems: []Problem{}}, of: f, console: c}
		died := t.run(o.Parameters)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if died {
			_ = c.Close()
			c = nil
		}
		verdicts = append(verdicts, t.Verdict)
		if o.Progress != nil {
			o.Progress(t.Verdict)
		}
	}
	return verdicts, nil
}

// trial is a function that is tried.
type trial struct {
	Verdict
	of       manifest.Function
	console  *console.Console
	function *console.Function
}

// run tries the function and says whether the JVM died of it.
func (t *trial) run(parameters map[string]string) (died bool) {
	request := map[string]string{"function": t.of.Name, "signature": t.of.Signature, "job": "verify", "subtask": "0", "parallelism": "1", "attempt": "0", "call_timeout_ms": callTimeout}
	for name, value := range parameters {
		request["parameter."+name] = value
	}
	var err error
	if t.function, err = t.console.Open(request); err != nil {
		what := "cannot be opened: " + err.Error()
		if len(t.of.Parameters) > 0 {
			what += " (it reads job parameters: --parameter " + t.of.Parameters[0].Name + "=VALUE)"
		}
		return t.problem("open", what, err)
	}
	switch t.of.Kind {
	case manifest.KindRaw, manifest.KindJSON:
		died = t.texts()
	case manifest.KindAggregate:
		died = t.aggregate()
	default:
		died = t.rows()
	}
	if died {
		return true
	}
	if err := t.function.Close(); err != nil {
		return t.problem("close", err.Error(), err)
	}
	return false
}

// problem notes what must not be, and says whether the JVM died of it.
func (t *trial) problem(name, what string, err error) (died bool) {
	p := Problem{Case: name, What: what}
	var failure *console.Failure
	var death *console.DeathError
	switch {
	case errors.As(err, &failure):
		p.Trace = failure.Trace
	case errors.As(err, &death):
		p.What, p.Trace, died = "ended the process: "+err.Error(), death.Stderr, true
		if cause := death.Cause(); cause != "" {
			p.What += ": " + cause
		}
	}
	t.Problems = append(t.Problems, p)
	return died
}

// call calls the function, and counts and judges how it ended. Ok: there is a result.
func (t *trial) call(name string, op int, input []byte) (result []byte, ok, died bool) {
	t.Calls++
	result, err := t.function.Call(op, input)
	if err == nil {
		return result, true, false
	}
	return nil, false, t.judge(name, err)
}

// judge counts a call that failed.
func (t *trial) judge(name string, err error) (died bool) {
	var failure *console.Failure
	switch {
	case errors.As(err, &failure) && failure.Returned():
		t.Errors++
		if t.Example == "" {
			t.Example = name + ": " + failure.Message
		}
		return false
	case errors.As(err, &failure) && failure.Panic():
		t.Panics++
		return t.problem(name, "panicked: "+failure.Message, err)
	default:
		return t.problem(name, err.Error(), err)
	}
}

// rows tries a SCALAR or a TABLE: each case in a message of its own, and a SCALAR with all good ones in one message.
func (t *trial) rows() (died bool) {
	in, out, err := console.Codecs(t.of)
	if err != nil {
		return t.problem("types", err.Error(), err)
	}
	var good, results [][]any
	for _, c := range Cases(t.of.Arguments) {
		input, err := in.Encode([][]any{c.Arguments})
		if err != nil {
			t.problem(c.Name, "the case cannot be encoded: "+err.Error(), nil)
			continue
		}
		result, ok, died := t.call(c.Name, console.Eval, input)
		if died {
			return true
		}
		if !ok {
			continue
		}
		rows, err := out.Decode(result)
		switch {
		case err != nil:
			t.problem(c.Name, "the result cannot be decoded: "+err.Error(), nil)
		case t.of.Kind == manifest.KindTable:
		case len(rows) != 1:
			t.problem(c.Name, fmt.Sprintf("%d results of one row", len(rows)), nil)
		default:
			good, results = append(good, c.Arguments), append(results, rows[0])
			if t.fixed(c, input, result) {
				return true
			}
		}
	}
	if t.of.Kind == manifest.KindScalar && len(good) > 1 {
		return t.batch(in, out, good, results)
	}
	return false
}

// batch gives the function all rows at once. What it answers must be what it answered to them one by one.
func (t *trial) batch(in, out console.Values, rows, want [][]any) (died bool) {
	const name = "all of them in one message"
	input, err := in.Encode(rows)
	if err != nil {
		return t.problem(name, "the rows cannot be encoded: "+err.Error(), nil)
	}
	result, ok, died := t.call(name, console.Eval, input)
	if !ok {
		return died
	}
	got, err := out.Decode(result)
	switch {
	case err != nil:
		t.problem(name, "the result cannot be decoded: "+err.Error(), nil)
	case len(got) != len(rows):
		t.problem(name, fmt.Sprintf("%d results of %d rows", len(got), len(rows)), nil)
	case t.of.Deterministic:
		result := manifest.Type{Root: "ROW", Fields: console.ResultColumns(t.of)}
		for i := range got {
			if !same(result, got[i], want[i]) {
				t.problem(name, fmt.Sprintf("row %d is %v, alone it was %v; say udf.Deterministic(false) if that is right", i, got[i], want[i]), nil)
				break
			}
		}
	}
	return false
}

// Where the columns are in a message of one row of at most 64: behind the header, the row's size and its null bitmap.
const (
	bitmapAt = 8 + 4
	slotsAt  = bitmapAt + 8
)

// fixed calls a function of numbers in the short way too, the one that Flink takes: it must answer the same.
func (t *trial) fixed(c Case, input, result []byte) (died bool) {
	if !fixedFunction(t.of) {
		return false
	}
	var arguments [4]uint64
	for i := range c.Arguments {
		arguments[i] = binary.LittleEndian.Uint64(input[slotsAt+8*i:])
	}
	value, null, err := t.function.Fixed(binary.LittleEndian.Uint64(input[bitmapAt:]), arguments)
	t.Calls++
	if err != nil {
		return t.judge(c.Name+", without a buffer", err)
	}
	wantNull, want := result[bitmapAt]&1 != 0, binary.LittleEndian.Uint64(result[slotsAt:])
	if t.of.Deterministic && (null != wantNull || value != want) {
		t.problem(c.Name, fmt.Sprintf("called without a buffer it answers %#x (NULL: %v), with one %#x (NULL: %v)", value, null, want, wantNull), nil)
	}
	return false
}

// fixedRoots are the types whose values cross as numbers.
var fixedRoots = map[string]bool{
	"BOOLEAN": true, "TINYINT": true, "SMALLINT": true, "INT": true, "BIGINT": true, "FLOAT": true, "DOUBLE": true,
	"DATE": true, "TIME": true, "INTERVAL YEAR TO MONTH": true, "INTERVAL DAY TO SECOND": true,
}

// fixedFunction says whether a function can be called without a buffer.
func fixedFunction(f manifest.Function) bool {
	all := append([]manifest.Column{f.Result}, f.Arguments...)
	for _, c := range all {
		if name, _ := parts(c.Type.Root); !fixedRoots[name] {
			return false
		}
	}
	return f.Kind == manifest.KindScalar && len(f.Arguments) <= 4
}

// texts tries a RAW or JSON function with inputs that JSON knows, and with some that it does not.
func (t *trial) texts() (died bool) {
	inputs := []string{
		`{}`, `null`, `[]`, `0`, `""`, `{"a":1}`, `{"a":null}`, "", " ", "{", "\x00", "\xff\xfe", `"\ud800"`, `{"a":1,"a":2}`, `1e999`, `{} {}`,
		strings.Repeat("[", 10_000), strings.Repeat("[", 500) + strings.Repeat("]", 500), `"` + strings.Repeat("x", 1<<20) + `"`,
	}
	for i, input := range inputs {
		if _, _, died := t.call(fmt.Sprintf("input %d (%s)", i+1, brief(input)), console.Eval, []byte(input)); died {
			return true
		}
	}
	return false
}
