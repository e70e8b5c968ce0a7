package evaluate_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// resource notes in a log what happens to it.
type resource struct {
	name string
	log  *[]string
	err  error
}

func (r *resource) Close() error {
	*r.log = append(*r.log, "close "+r.name)
	return r.err
}

func opening(log *[]string, name string, fail, failClose error) udf.Option {
	return udf.Open(func(_ context.Context, job udf.Job) (*resource, error) {
		*log = append(*log, "open "+name+" in "+job.Parameters["region"])
		return &resource{name, log, failClose}, fail
	})
}

func region() udf.Option { return udf.Parameter("region", "eu", "where it runs") }

func say(ctx context.Context, text string) (string, error) {
	return text + " from " + udf.Opened[*resource](ctx).name, nil
}

func TestFunctionsAreOpenedOnceAndClosed(t *testing.T) {
	var log []string
	bad := errors.New("disk is gone")
	r := udf.NewRegistry()
	udf.Scalar(r, "a", say, region(), opening(&log, "a", nil, nil))
	udf.Scalar(r, "b", say, region(), opening(&log, "b", nil, bad))
	cfg := evaluate.DefaultConfig()
	cfg.DefaultFunction = "a"
	s, err := evaluate.New(cfg, r, map[string]string{"region": "us"}, &recorder{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		answer, err := s.Evaluate(context.Background(), evaluate.Request{Event: []byte(`"hello"`)})
		if err != nil || string(answer.Result) != `{"value":"hello from a"}` {
			t.Errorf("got %s, %v", answer.Result, err)
		}
	}
	if err := s.Close(); !errors.Is(err, bad) || !strings.Contains(err.Error(), "close b") {
		t.Errorf("close: got %v", err)
	}
	if want := []string{"open a in us", "open b in us", "close b", "close a"}; !slices.Equal(log, want) {
		t.Errorf("got %v, want %v", log, want)
	}
	_, err = s.Evaluate(context.Background(), evaluate.Request{Event: []byte(`"hello"`)})
	if problem.From(err).Code != problem.FunctionError || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after close: got %v", err)
	}
}

func TestAFunctionThatCannotBeOpenedStopsTheStart(t *testing.T) {
	var log []string
	r := udf.NewRegistry()
	udf.Scalar(r, "a", say, region(), opening(&log, "a", nil, nil))
	udf.Scalar(r, "b", say, opening(&log, "b", errors.New("no such model"), nil))
	cfg := evaluate.DefaultConfig()
	cfg.DefaultFunction = "a"
	if _, err := evaluate.New(cfg, r, nil, &recorder{}); err == nil || err.Error() != "open b: no such model" {
		t.Errorf("got %v", err)
	}
	if want := []string{"open a in eu", "open b in ", "close a"}; !slices.Equal(log, want) {
		t.Errorf("what was open must be closed: got %v", log)
	}
	_, err := evaluate.New(cfg, r, map[string]string{"regoin": "us"}, &recorder{})
	if want := "functions.parameters.regoin: no function declares a parameter of that name; there are: region"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestKindsOfFunctions(t *testing.T) {
	r := udf.NewRegistry()
	udf.Table(r, "split", func(_ context.Context, text string, emit func(string)) error {
		for part := range strings.SplitSeq(text, ",") {
			emit(part)
		}
		return nil
	})
	udf.Aggregate(r, "total", udf.Aggregation[int64, int64, int64]{
		Accumulate: func(_ context.Context, acc *int64, n int64) error { *acc += n; return nil },
		Result:     func(_ context.Context, acc int64) (int64, error) { return acc, nil },
	})
	udf.JSON(r, "keys", func(_ context.Context, in map[string]any) ([]string, error) {
		return slices.Collect(maps.Keys(in)), nil
	})
	udf.Scalar(r, "go", func(ctx context.Context, _ int64) (int64, error) {
		udf.Go(ctx, func(context.Context) error { panic("elsewhere") })
		return 1, nil
	})
	cfg := evaluate.DefaultConfig()
	cfg.DefaultFunction = "split"
	obs := &recorder{}
	s, err := evaluate.New(cfg, r, nil, obs)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		function, event, want string
		code                  problem.Code
	}{
		{"split", `"a,,b"`, `{"value":["a","","b"]}`, ""},
		{"total", `1`, "total is an AGGREGATE", problem.FunctionError},
		{"keys", `{"k":1}`, `{"value":["k"]}`, ""},
		{"keys", `{"k":01}`, "invalid character", problem.InvalidEvent},
		{"go", `1`, "panic: elsewhere", problem.FunctionPanic},
	} {
		answer, err := s.Evaluate(context.Background(), evaluate.Request{Function: tc.function, Event: []byte(tc.event)})
		switch {
		case tc.code == "" && (err != nil || string(answer.Result) != tc.want):
			t.Errorf("%s: got %s, %v", tc.function, answer.Result, err)
		case tc.code != "" && (problem.From(err).Code != tc.code || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v", tc.function, err)
		}
	}
}
