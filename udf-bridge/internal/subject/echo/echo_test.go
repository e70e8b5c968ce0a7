package echo

import (
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

func TestRegister(t *testing.T) {
	r := udf.NewRegistry()
	Register(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Functions()); n < 100 {
		t.Errorf("%d functions", n)
	}
}
