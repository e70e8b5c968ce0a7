package invoke

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/subject/faults"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

func faultLibrary() *Library {
	l := &Library{}
	l.Register(faults.Register)
	return l
}

// request is a string map of alternating keys and values.
func request(keysAndValues ...string) []byte {
	var pairs []pair
	for i := 0; i < len(keysAndValues); i += 2 {
		pairs = append(pairs, pair{keysAndValues[i], keysAndValues[i+1]})
	}
	return appendStringMap(nil, pairs)
}

// open opens a function or ends the test.
func open(t *testing.T, l *Library, function string, more ...string) int64 {
	t.Helper()
	out := make([]byte, ErrorMax)
	id := l.Open(request(append([]string{"function", function}, more...)...), out)
	if id <= 0 {
		t.Fatalf("open %s: %v", function, record(t, out, id))
	}
	return id
}

// record reads the error record of which a method returned -(its bytes).
func record(t *testing.T, out []byte, n int64) map[string]string {
	t.Helper()
	if n >= 0 {
		t.Fatalf("answered %d, want an error record", n)
	}
	m, err := parseStringMap(out[:-n])
	if err != nil {
		t.Fatalf("error record: %v", err)
	}
	return m
}

func lastError(t *testing.T, l *Library, id int64) map[string]string {
	t.Helper()
	out := make([]byte, ErrorMax)
	return record(t, out, -l.Error(id, out))
}

func fixed(l *Library, id int64, arg int64) (value int64, code int32) {
	call := FixedCall{id, udf.FixedCall{Args: [udf.MaxFixed]int64{arg}}}
	code = l.CallFixed(&call)
	return call.Value, code
}

// longs is a message of one BIGINT NOT NULL column.
func longs(values ...int64) []byte {
	m := []byte{1, 0, 1, 0}
	m = binary.LittleEndian.AppendUint32(m, uint32(len(values)))
	for _, v := range values {
		m = binary.LittleEndian.AppendUint32(m, 16)
		m = binary.LittleEndian.AppendUint64(m, 0)
		m = binary.LittleEndian.AppendUint64(m, uint64(v))
	}
	return m
}

func TestFixedCallGivesValuesAndNulls(t *testing.T) {
	l := faultLibrary()
	if value, code := fixed(l, open(t, l, "plus_one"), -42); value != -41 || code != FixedOK {
		t.Errorf("plus_one(-42) = %d, code %d", value, code)
	}
	nullable := open(t, l, "plus_one_or_null")
	call := FixedCall{nullable, udf.FixedCall{Nulls: 1, Args: [udf.MaxFixed]int64{7}, Value: 99}}
	if code := l.CallFixed(&call); code != FixedOK || call.Null != 1 || call.Value != 0 {
		t.Errorf("of NULL: %+v, code %d", call, code)
	}
	call = FixedCall{nullable, udf.FixedCall{Args: [udf.MaxFixed]int64{7}, Null: 1}}
	if code := l.CallFixed(&call); code != FixedOK || call.Null != 0 || call.Value != 8 {
		t.Errorf("after NULL: %+v, code %d", call, code)
	}
}

func TestFixedCallAllocatesNothing(t *testing.T) {
	l := faultLibrary()
	for _, function := range []string{"plus_one", "panic_with_value"} {
		call := FixedCall{open(t, l, function), udf.FixedCall{Args: [udf.MaxFixed]int64{1}}}
		if n := testing.AllocsPerRun(1000, func() {
			if l.CallFixed(&call) != FixedOK {
				panic("failed")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a call", function, n)
		}
	}
}

func TestPanicIsAnErrorRecordWithTheStackOfTheFunction(t *testing.T) {
	l := faultLibrary()
	for _, c := range []struct {
		function string
		arg      int64
		message  string
		frame    string
	}{
		{"nil_dereference", 1, "nil pointer dereference", "faults.nilDereference\tfaults.go\t"},
		{"index_out_of_range", 9, "index out of range [9] with length 3", "faults.indexOutOfRange\tfaults.go\t"},
		{"division_by_zero", 0, "integer divide by zero", "faults.divisionByZero\tfaults.go\t"},
		{"panic_with_value", 3, "{42}", "faults.panicWithValue\tfaults.go\t"},
		{"wild_pointer", 0, "(address 0xdead0000)", "faults.wildPointer\tfaults.go\t"},
		{"panic_in_goroutine", 0, "in a goroutine", "faults.panicInGoroutine.func1\tfaults.go\t"},
	} {
		t.Run(c.function, func(t *testing.T) {
			id := open(t, l, c.function)
			if _, code := fixed(l, id, c.arg); code != FixedFailed {
				t.Fatalf("code %d", code)
			}
			r := lastError(t, l, id)
			if r["kind"] != kindPanic || r["function"] != c.function || !strings.Contains(r["message"], c.message) {
				t.Errorf("record: %v", r)
			}
			if !strings.Contains(r["frame.0"], c.frame) {
				t.Errorf("first frame %q, want %q", r["frame.0"], c.frame)
			}
			for key, value := range r {
				if strings.Contains(value, "invoke.(*handle)") {
					t.Errorf("%s shows how the function was called: %q", key, value)
				}
			}
			if _, code := fixed(l, open(t, l, "plus_one"), 1); code != FixedOK {
				t.Errorf("the next call: code %d", code)
			}
		})
	}
}

func TestReturnedErrorKeepsItsChain(t *testing.T) {
	l := faultLibrary()
	for _, c := range []struct {
		function string
		kind     string
		chain    []string
	}{
		{"wrapped_error", kindError, []string{
			"*fmt.wrapError: load model: open /nonexistent/model: no such file or directory",
			"*fs.PathError: open /nonexistent/model: no such file or directory",
			"syscall.Errno: no such file or directory",
		}},
		{"joined_error", kindError, []string{"*errors.joinError: first\nsecond", "*errors.errorString: first", "*errors.errorString: second"}},
	} {
		id := open(t, l, c.function)
		if _, code := fixed(l, id, 1); code != FixedFailed {
			t.Fatalf("%s: code %d", c.function, code)
		}
		r := lastError(t, l, id)
		var chain []string
		for i := 0; r[fmt.Sprint("chain.", i)] != ""; i++ {
			chain = append(chain, r[fmt.Sprint("chain.", i)])
		}
		if r["kind"] != c.kind || strings.Join(chain, "|") != strings.Join(c.chain, "|") {
			t.Errorf("%s: kind %s, chain %q", c.function, r["kind"], chain)
		}
	}
}

// An error whose own methods panic is that function's failure like any other.
func TestHostileErrorIsAFailure(t *testing.T) {
	l := faultLibrary()
	id := open(t, l, "hostile_error")
	if _, code := fixed(l, id, 1); code != FixedFailed {
		t.Fatalf("code %d", code)
	}
	if r := lastError(t, l, id); r["kind"] != kindError || !strings.Contains(r["message"], "in Error") {
		t.Errorf("record: %v", r)
	}
}

func TestDeadlineIsItsOwnKind(t *testing.T) {
	l := faultLibrary()
	id := open(t, l, "deadline", "call_timeout_ms", "1")
	if _, code := fixed(l, id, 1); code != FixedFailed {
		t.Fatalf("code %d", code)
	}
	if r := lastError(t, l, id); r["kind"] != kindDeadline || r["chain.1"] == "" {
		t.Errorf("record: %v", r)
	}
}

func TestErrorOfABatchNamesItsRow(t *testing.T) {
	l := faultLibrary()
	out := make([]byte, 4096)
	id := open(t, l, "panic_with_value")
	if n := l.Call(id, 0, longs(1, 2), out); n <= 0 {
		t.Fatalf("a good batch: %d", n)
	}
	if n := l.Call(id, 0, longs(5, 4, 3, 2), out); n != Failed {
		t.Fatalf("a batch with a bad row: %d", n)
	}
	if r := lastError(t, l, id); r["row"] != "2" || r["kind"] != kindPanic {
		t.Errorf("record: %v", r)
	}
	if n := l.Call(id, 0, longs(3), out); n != Failed {
		t.Fatalf("one bad row: %d", n)
	}
	if r := lastError(t, l, id); r["row"] != "" {
		t.Errorf("the row of a call of one row says nothing: %v", r)
	}
}

func TestResultOutsideItsTypeIsAnErrorOfTheRow(t *testing.T) {
	l := faultLibrary()
	out := make([]byte, 4096)
	for function, field := range map[string]string{"invalid_utf8": "UTF-8", "decimal_overflow": "amount"} {
		id := open(t, l, function)
		if n := l.Call(id, 0, longs(100000), out); n != Failed {
			t.Fatalf("%s: %d", function, n)
		}
		if r := lastError(t, l, id); r["kind"] != kindInput || !strings.Contains(r["message"], field) {
			t.Errorf("%s: %v", function, r)
		}
	}
}

func TestResultLargerThanTheBufferIsParked(t *testing.T) {
	l := faultLibrary()
	id := open(t, l, "repeat")
	out := make([]byte, 4096)
	const size = 10 << 20
	if n := l.Call(id, 0, []byte(fmt.Sprint(size)), out); n != -size {
		t.Fatalf("answered %d, want %d", n, -size)
	}
	var all int64
	for all < size {
		n := l.Fetch(id, all, out)
		if n <= 0 || strings.Trim(string(out[:n]), "x") != "" {
			t.Fatalf("fetched %d bytes at %d", n, all)
		}
		all += n
	}
	if n := l.Fetch(id, 0, out); n != Failed {
		t.Errorf("its end was fetched, and it is still there: %d", n)
	}
	if n := l.Call(id, 0, []byte("5000"), out); n != -5000 {
		t.Fatalf("answered %d", n)
	}
	if n := l.Call(id, 0, []byte("10"), out); n != 10 || string(out[:n]) != "xxxxxxxxxx" {
		t.Fatalf("a result that fits: %d", n)
	}
	if n := l.Fetch(id, 0, out); n != Failed {
		t.Errorf("a parked result outlived the next call: %d", n)
	}
}

func TestResultAboveTheLimitIsAnError(t *testing.T) {
	l := faultLibrary()
	id := open(t, l, "repeat", "max_result_bytes", "100")
	out := make([]byte, 4096)
	if n := l.Call(id, 0, []byte("100"), out); n != 100 {
		t.Fatalf("at the limit: %d", n)
	}
	if n := l.Call(id, 0, []byte("101"), out); n != Failed {
		t.Fatalf("above the limit: %d", n)
	}
	if r := lastError(t, l, id); !strings.Contains(r["message"], "drey.udf.max-result-bytes") {
		t.Errorf("the error does not say what to raise: %v", r)
	}
}

func TestHandleServesOneThreadAtATime(t *testing.T) {
	l := faultLibrary()
	shared, other := open(t, l, "waits_for_release"), open(t, l, "waits_for_release")
	codes := make(chan int32)
	for range 2 {
		go func() {
			_, code := fixed(l, shared, 1)
			codes <- code
		}()
	}
	if code := <-codes; code != FixedBusy { // the one that waits cannot have answered
		t.Fatalf("the second thread: code %d", code)
	}
	out := make([]byte, ErrorMax)
	if n := l.Close(shared, out); n != Busy {
		t.Errorf("close while a call runs: %d", n)
	}
	if n := l.Call(shared, 0, nil, out); n != Busy {
		t.Errorf("call: %d", n)
	}
	if n := l.Fetch(shared, 0, out); n != Busy {
		t.Errorf("fetch: %d", n)
	}
	if n := l.Error(shared, out); n != 0 {
		t.Errorf("error: %d", n)
	}
	if _, code := fixed(l, other, 0); code != FixedOK {
		t.Fatalf("release: code %d", code)
	}
	if code := <-codes; code != FixedOK {
		t.Errorf("the first thread was disturbed: code %d", code)
	}
	if n := l.Close(shared, out); n != 0 {
		t.Errorf("close after the call: %d", n)
	}
}

func TestClosedHandleIsNeverAnotherOne(t *testing.T) {
	l := faultLibrary()
	out := make([]byte, ErrorMax)
	old := open(t, l, "plus_one")
	if n := l.Close(old, out); n != 0 {
		t.Fatalf("close: %d", n)
	}
	now := open(t, l, "plus_one")
	if old == now {
		t.Fatal("the same handle again")
	}
	if _, code := fixed(l, old, 1); code != FixedStale {
		t.Errorf("a fixed call of a closed handle: code %d", code)
	}
	if n := l.Call(old, 0, longs(1), out); n != Stale {
		t.Errorf("a call of a closed handle: %d", n)
	}
	if n := l.Close(old, out); n != Stale {
		t.Errorf("closed twice: %d", n)
	}
	for _, id := range []int64{0, -1, 1, now + 1, now | 1<<31, 1 << 62} {
		if _, code := fixed(l, id, 1); code != FixedStale {
			t.Errorf("handle %#x: code %d", id, code)
		}
	}
	if value, code := fixed(l, now, 1); value != 2 || code != FixedOK {
		t.Errorf("the open one: %d, code %d", value, code)
	}
}

func TestCloseClosesWhatWasOpened(t *testing.T) {
	l := faultLibrary()
	out := make([]byte, ErrorMax)
	id := open(t, l, "greeting", "job", "fraud", "subtask", "1", "parallelism", "4", "attempt", "2", "parameter.greeting", "hi")
	second := open(t, l, "greeting", "encoding", "json")
	n := l.Call(second, 0, []byte(`"Ann"`), out)
	if want := `{"value":"hello from  0/1 attempt 0, Ann (2 live)"}`; n < 0 || string(out[:n]) != want {
		t.Fatalf("%d: %q", n, out[:max(n, 0)])
	}
	if n := l.Close(second, out); n != 0 {
		t.Fatalf("close: %d", n)
	}
	in := []byte{1, 0, 1, 0, 1, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 3, 0, 0, 0, 'B', 'o', 'b'}
	n = l.Call(id, 0, in, out)
	if n < 0 || !strings.Contains(string(out[:n]), "hi from fraud 1/4 attempt 2, Bob (1 live)") {
		t.Fatalf("%d: %q", n, out[:max(n, 0)])
	}
	id = open(t, l, "error_in_close")
	if r := record(t, out, l.Close(id, out)); r["kind"] != kindError || !strings.Contains(r["message"], "cannot close") {
		t.Errorf("record: %v", r)
	}
	if n := l.Close(id, out); n != Stale {
		t.Errorf("it is closed all the same: %d", n)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	l := faultLibrary()
	out := make([]byte, ErrorMax)
	for _, c := range []struct {
		request []byte
		kind    string
		message string
	}{
		{request("function", "plusone"), kindInternal, "did you mean plus_one"},
		{request("function", "plus_one", "signature", "plus_one(value INT) -> INT"), kindInternal, "plus_one(value BIGINT NOT NULL) -> BIGINT NOT NULL"},
		{request("function", "plus_one", "subtask", "two"), kindInternal, `subtask is "two"`},
		{request("function", "plus_one", "encoding", "xml"), kindInternal, `encoding is "xml"`},
		{request("function", "panic_in_open"), kindPanic, "no model"},
		{request("function", "error_in_open"), kindError, "no such model"},
		{[]byte{0, 0, 0, 9}, kindInternal, "not a string map"},
	} {
		r := record(t, out, l.Open(c.request, out))
		if r["kind"] != c.kind || !strings.Contains(r["message"], c.message) {
			t.Errorf("want %s %q, got %v", c.kind, c.message, r)
		}
	}
	if id := open(t, l, "plus_one", "signature", "plus_one(value BIGINT NOT NULL) -> BIGINT NOT NULL"); id <= 0 {
		t.Errorf("its own signature: %d", id)
	}
}

func TestProcessJSONFindsItsFunction(t *testing.T) {
	echo := func(name string) func(*udf.Registry) {
		return func(r *udf.Registry) {
			udf.Raw(r, name, func(_ context.Context, b []byte) ([]byte, error) { return append([]byte(name+":"), b...), nil })
		}
	}
	out := make([]byte, ErrorMax)
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"other", "process_json"}, "process_json"},
		{[]string{"processJson", "other"}, "processJson"},
		{[]string{"anything"}, "anything"},
	} {
		var l Library
		for _, name := range c.names {
			l.Register(echo(name))
		}
		id := l.Open(request("entry", "processJson"), out)
		if n := l.Call(id, 0, []byte("{}"), out); n < 0 || string(out[:n]) != c.want+":{}" {
			t.Errorf("%v: %d", c.names, n)
		}
	}
	var two, scalar Library
	two.Register(echo("one"), echo("two"))
	if r := record(t, out, two.Open(request("entry", "processJson"), out)); !strings.Contains(r["message"], "one, two") {
		t.Errorf("record: %v", r)
	}
	scalar.Register(func(r *udf.Registry) {
		udf.Scalar(r, "process_json", func(_ context.Context, s string) (string, error) { return s, nil })
	})
	if r := record(t, out, scalar.Open(request("entry", "processJson"), out)); !strings.Contains(r["message"], "udf.JSON") {
		t.Errorf("record: %v", r)
	}
}

func TestRegistrationThatPanicsIsARecord(t *testing.T) {
	out := make([]byte, ErrorMax)
	for _, register := range []func(*udf.Registry){
		func(*udf.Registry) { panic("cannot register") },
		func(r *udf.Registry) { r.Fail("f", fmt.Errorf("cannot register")) },
	} {
		var l Library
		l.Register(register)
		for _, n := range []func() int64{
			func() int64 { return l.Init(request(), out) },
			func() int64 { return l.Open(request("function", "f"), out) },
		} {
			if r := record(t, out, n()); r["kind"] != kindInternal || !strings.Contains(r["message"], "cannot register") {
				t.Errorf("record: %v", r)
			}
		}
		if n := l.Describe(out); n != Failed {
			t.Errorf("describe: %d", n)
		}
	}
}

func TestManyThreadsOpenCallAndClose(t *testing.T) {
	l := faultLibrary()
	var threads sync.WaitGroup
	const rounds, calls = 20, 50
	for range 2 * runtime.GOMAXPROCS(0) {
		threads.Go(func() {
			out := make([]byte, ErrorMax)
			for range rounds {
				id := l.Open(request("function", "plus_one"), out)
				for n := range int64(calls) {
					if value, code := fixed(l, id, n); value != n+1 || code != FixedOK {
						t.Errorf("%d -> %d, code %d", n, value, code)
						return
					}
				}
				if n := l.Close(id, out); n != 0 {
					t.Errorf("close: %d", n)
				}
			}
		})
	}
	threads.Wait()
	want := functionStats{Calls: uint64(2 * runtime.GOMAXPROCS(0) * rounds * calls)}
	if got := l.functionStats()["plus_one"]; got != want {
		t.Errorf("stats: %+v, want %+v", got, want)
	}
}
