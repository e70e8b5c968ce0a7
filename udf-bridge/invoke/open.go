package invoke

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// defaultMaxResult bounds a result if the request does not.
const defaultMaxResult = 64 << 20

// Open opens a function: see drey_open for the request.
func (l *Library) Open(in, out []byte) (n int64) {
	defer guardRecord(out, &n)
	request, err := parseStringMap(in)
	if err != nil {
		return putRecord(out, internalFailure("", "request: %v", err))
	}
	id, failed := l.open(request)
	if failed != nil {
		return putRecord(out, failed)
	}
	return id
}

func (l *Library) open(request map[string]string) (int64, *failure) {
	registry, err := l.functions()
	if err != nil {
		return 0, internalFailure("", "%v", err)
	}
	fn, failed := find(registry, request)
	if failed != nil {
		return 0, failed
	}
	desc := fn.Describe()
	if want, ok := request["signature"]; ok && want != desc.Signature() {
		return 0, internalFailure(desc.Name, "the class of this function was built for %s, and the library has %s: they are of different builds; build the jar again and deploy only that one", want, desc.Signature())
	}
	if e := request["encoding"]; e != "" && e != "row" && e != "json" {
		return 0, internalFailure(desc.Name, "request: encoding is %q; give row or json", e)
	}
	job, options, err := parseRequest(request)
	if err != nil {
		return 0, internalFailure(desc.Name, "%v", err)
	}
	instance, failed := openFunction(fn, job, options)
	if failed != nil {
		return 0, failed
	}
	json := request["encoding"] == "json"
	h := &handle{
		function: desc.Name, instance: instance, json: json, fixed: desc.Fixed() && !json,
		rows: !json && (desc.Kind == udf.KindScalar || desc.Kind == udf.KindTable),
	}
	h.caller.Init(instance)
	id := l.add(h)
	if id == 0 {
		_ = instance.Close() // the function was not called, so its own words about that matter less
		return 0, internalFailure(desc.Name, "%d functions are open in this process, and no more can be; is one opened again and again, and never closed?", maxOpen)
	}
	return id, nil
}

// find returns the function that a request names, or, for entry, the one that processJson stands for.
func find(registry *udf.Registry, request map[string]string) (*udf.Function, *failure) {
	if request["entry"] == "processJson" {
		return findEntry(registry)
	}
	name := request["function"]
	fn, ok := registry.Lookup(name)
	if !ok {
		hint := "this library has none"
		if near := registry.Nearest(name); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		} else if all := registry.Functions(); len(all) > 0 {
			hint = "it has " + names(all)
		}
		return nil, internalFailure(name, "the library has no such function; %s", hint)
	}
	return fn, nil
}

func findEntry(registry *udf.Registry) (*udf.Function, *failure) {
	all := registry.Functions()
	fn, ok := registry.Lookup("process_json")
	if !ok {
		fn, ok = registry.Lookup("processJson")
	}
	if !ok && len(all) == 1 {
		fn, ok = all[0], true
	}
	if !ok {
		return nil, internalFailure("", "GoUDFProxy.processJson calls the function process_json or processJson, or the only one; this library has %s: give one of them that name", names(all))
	}
	if d := fn.Describe(); d.Kind != udf.KindJSON && d.Kind != udf.KindRaw {
		return nil, internalFailure(d.Name, "GoUDFProxy.processJson calls it with JSON text, and it is registered as %s; register it with udf.JSON or udf.Raw", d.Kind)
	}
	return fn, nil
}

func names(functions []*udf.Function) string {
	all := make([]string, len(functions))
	for i, f := range functions {
		all[i] = f.Describe().Name
	}
	return strings.Join(all, ", ")
}

const parameterPrefix = "parameter."

func parseRequest(request map[string]string) (udf.Job, []udf.OpenOption, error) {
	job := udf.Job{Name: request["job"], Parallelism: 1, Parameters: map[string]string{}}
	for key, value := range request {
		if name, ok := strings.CutPrefix(key, parameterPrefix); ok {
			job.Parameters[name] = value
		}
	}
	number := func(key string, byDefault int64) (int64, error) {
		text, ok := request[key]
		if !ok {
			return byDefault, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("request: %s is %q; give a whole number", key, text)
		}
		return n, nil
	}
	var errs [5]error
	var subtask, parallelism, attempt, timeout, maxResult int64
	subtask, errs[0] = number("subtask", 0)
	parallelism, errs[1] = number("parallelism", 1)
	attempt, errs[2] = number("attempt", 0)
	timeout, errs[3] = number("call_timeout_ms", 0)
	maxResult, errs[4] = number("max_result_bytes", defaultMaxResult)
	job.Subtask, job.Parallelism, job.Attempt = int(subtask), int(parallelism), int(attempt)
	if maxResult == 0 || maxResult > math.MaxInt32 { // Java's buffers end there
		maxResult = math.MaxInt32
	}
	timeout = min(timeout, math.MaxInt64/int64(time.Millisecond))
	options := []udf.OpenOption{udf.CallTimeout(time.Duration(timeout) * time.Millisecond), udf.MaxResultBytes(maxResult)}
	return job, options, errors.Join(errs[:]...)
}

func openFunction(fn *udf.Function, job udf.Job, options []udf.OpenOption) (instance *udf.Instance, failed *failure) {
	name := fn.Describe().Name
	defer func() {
		if value := recover(); value != nil {
			instance, failed = nil, panicFailure(name, value, callers())
		}
	}()
	debug.SetPanicOnFault(true)
	instance, err := fn.Open(context.Background(), job, options...)
	if err != nil {
		return nil, failureOf(name, err)
	}
	return instance, nil
}
