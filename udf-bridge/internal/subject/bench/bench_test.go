package bench_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/subject/bench"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

func open(t testing.TB, name string) *udf.Instance {
	t.Helper()
	r := udf.NewRegistry()
	bench.Register(r)
	f, ok := r.Lookup(name)
	if !ok {
		t.Fatalf("no function %s: %v", name, r.Err())
	}
	i, err := f.Open(context.Background(), udf.Job{Parallelism: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// The twins in Java and Python are compared with these by the benchmark itself.
func TestFunctions(t *testing.T) {
	for _, c := range []struct{ function, event, want string }{
		{"plus_one", `41`, "42"},
		{"upper_concat", `{"first":"abc","second":"Def"}`, `"ABCDef"`},
		{"process_json", event(1), `{"id":"7","score":0.`},
		{"process_json", `{"id":"7","amount":2,"items":[],"note":""}`, `{"id":"7","score":0.6666666666666666,"items":0}`},
		{"decide", order(250, true), `{"id":7,"score":0.2,"decision":"pass","limit":300}`},
		{"decide", order(9000, true), `{"id":7,"score":0.9,"decision":"review NL","limit":711}`},
		{"decide", order(3000, false), `{"id":7,"score":0.875,"decision":"review NL","limit":711}`},
	} {
		got, err := open(t, c.function).CallJSON(context.Background(), []byte(c.event))
		if err != nil || !strings.Contains(string(got), c.want) {
			t.Errorf("%s(%s): got %s, %v, want %s", c.function, c.event, got, err, c.want)
		}
	}
}

func order(amount float64, known bool) string {
	return fmt.Sprintf(`{"order":{"id":7,"account":4711,"amount":%g,"items":3,"country":"NL","known":%v}}`, amount, known)
}

func event(items int) string {
	all := make([]string, items)
	for i := range all {
		all[i] = fmt.Sprintf(`{"sku":"A-%04d","price":%d.%02d,"quantity":%d}`, i, 1+i*7%90, i*37%100, 1+i%9)
	}
	return `{"id":"7","amount":129.95,"items":[` + strings.Join(all, ",") + `],"note":"nnnn"}`
}

// What of a call is Go's: without JNI and Java.
func BenchmarkProcessJSON(b *testing.B) {
	for _, items := range []int{0, 20, 210} {
		text := []byte(event(items))
		b.Run(fmt.Sprint(len(text)), func(b *testing.B) {
			caller, dst := open(b, "process_json").Caller(), make([]byte, 0, 4096)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := caller.Call(context.Background(), udf.OpEval, text, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
