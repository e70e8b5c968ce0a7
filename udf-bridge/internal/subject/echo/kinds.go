package echo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

func registerKinds(r *udf.Registry) {
	udf.Scalar(r, "add_all", addAll, udf.Args("a", "b", "c", "d"), udf.Doc("four fixed arguments, by other names"))
	udf.Scalar(r, "today", func(context.Context, struct{ Zone *string }) (udf.Date, error) { return udf.DateOf(time.Now()), nil },
		udf.Deterministic(false))
	udf.Scalar(r, "strict_add", func(_ context.Context, in pair) (int64, error) { return in.A + in.B, nil }, udf.NullOnNull(),
		udf.Doc("NULL if an argument is"))
	udf.Scalar(r, "strict_upper", func(_ context.Context, in texts) (string, error) {
		return strings.ToUpper(in.Text) + in.Suffix.Or("-"), nil
	}, udf.NullOnNull(), udf.Doc("NULL if the text is; the suffix may be NULL"))
	udf.Scalar(r, "greet", greet, udf.Doc("what the parameter greeting says, and how often it was said"), udf.Deterministic(false),
		udf.Parameter("greeting", "hello", "the word to greet with"), udf.Parameter("fail", "", "if not empty, open fails with it"),
		udf.Open(openGreeter))
	udf.Table(r, "range_of", rangeOf, udf.Args("first", "last"), udf.Doc("the numbers from the first to the last"))
	udf.Table(r, "explode", explode, udf.Doc("the words of a text with their positions"))
	udf.Table(r, "strict_split", func(_ context.Context, text string, emit func(*string)) error {
		for part := range strings.SplitSeq(text, ",") {
			if part == "" {
				emit(nil)
			} else {
				emit(&part)
			}
		}
		return nil
	}, udf.NullOnNull(), udf.Args("text"), udf.Doc("the parts of a text, NULL if empty"))
	udf.Aggregate(r, "weighted_avg", weightedAvg, udf.Doc("average of values by weight; NULL without weight"))
	udf.Aggregate(r, "strict_concat", concat, udf.NullOnNull(), udf.Args("text"), udf.Doc("all texts with their counts, those that are NULL passed over"))
	udf.Raw(r, "echo_raw", func(_ context.Context, event []byte) ([]byte, error) { return event, nil })
	udf.JSON(r, "echo_json", func(_ context.Context, event any) (any, error) { return event, nil })
	udf.JSON(r, "json_names", jsonNames, udf.NullOnNull(), udf.Args("document"))
}

type pair struct{ A, B int64 }

type texts struct {
	Text   string
	Suffix udf.Null[string]
}

type fixedFour struct {
	Whole  int32
	Double float64
	Flag   bool
	Maybe  udf.Null[float32]
}

func addAll(_ context.Context, in fixedFour) (udf.Null[float64], error) {
	sum := float64(in.Whole) + in.Double + float64(in.Maybe.V)
	if in.Flag {
		sum++
	}
	return udf.Null[float64]{V: sum, Valid: in.Maybe.Valid}, nil
}

// greeter is opened once.
type greeter struct {
	greeting string
	where    string
}

func openGreeter(_ context.Context, job udf.Job) (*greeter, error) {
	if text := job.Parameters["fail"]; text != "" {
		return nil, errors.New(text)
	}
	return &greeter{
		greeting: job.Parameters["greeting"],
		where:    fmt.Sprintf("%s %d/%d", job.Name, job.Subtask, job.Parallelism),
	}, nil
}

func greet(ctx context.Context, name string) (string, error) {
	g := udf.Opened[*greeter](ctx)
	return g.greeting + " " + name + " of " + g.where, nil
}

func rangeOf(_ context.Context, in pair, emit func(int64)) error {
	if in.B < in.A {
		return nil
	}
	n := in.B - in.A
	if n < 0 || n >= 1_000_000 {
		return fmt.Errorf("%d to %d is a long way; a million numbers at most", in.A, in.B)
	}
	for i := range n + 1 {
		emit(in.A + i)
	}
	return nil
}

type word struct {
	Word     string
	Position int32
}

func explode(_ context.Context, text string, emit func(word)) error {
	for i, w := range strings.Fields(text) {
		emit(word{w, int32(i)})
	}
	return nil
}

type weighted struct {
	Value  *float64
	Weight int64
}

type weightedSum struct {
	Sum    float64
	Weight int64
}

// weightedAvg is exact, and so the same in whatever order rows come, as long as the
// values are whole numbers.
var weightedAvg = udf.Aggregation[weighted, weightedSum, *float64]{
	Accumulate: func(_ context.Context, acc *weightedSum, in weighted) error {
		if in.Value != nil {
			acc.Sum += *in.Value * float64(in.Weight)
			acc.Weight += in.Weight
		}
		return nil
	},
	Retract: func(_ context.Context, acc *weightedSum, in weighted) error {
		if in.Value != nil {
			acc.Sum -= *in.Value * float64(in.Weight)
			acc.Weight -= in.Weight
		}
		return nil
	},
	Merge: func(_ context.Context, acc *weightedSum, other weightedSum) error {
		acc.Sum += other.Sum
		acc.Weight += other.Weight
		return nil
	},
	Result: func(_ context.Context, acc weightedSum) (*float64, error) {
		if acc.Weight == 0 {
			return nil, nil
		}
		avg := acc.Sum / float64(acc.Weight)
		return &avg, nil
	},
}

type bag struct{ Seen udf.Multiset[string] }

var concat = udf.Aggregation[string, bag, udf.Multiset[string]]{
	Accumulate: func(_ context.Context, acc *bag, text string) error {
		acc.Seen[text]++
		return nil
	},
	Retract: func(_ context.Context, acc *bag, text string) error {
		if acc.Seen[text]--; acc.Seen[text] == 0 {
			delete(acc.Seen, text)
		}
		return nil
	},
	Merge: func(_ context.Context, acc *bag, other bag) error {
		for text, n := range other.Seen {
			if acc.Seen[text] += n; acc.Seen[text] == 0 {
				delete(acc.Seen, text)
			}
		}
		return nil
	},
	Result: func(_ context.Context, acc bag) (udf.Multiset[string], error) { return acc.Seen, nil },
}

type named struct {
	Names []string       `json:"names"`
	Count int64          `json:"count"`
	More  map[string]any `json:"more,omitempty"`
}

func jsonNames(_ context.Context, in named) (named, error) {
	in.Count = int64(len(in.Names))
	if in.Count > 0 {
		in.More = map[string]any{"first": strconv.Quote(in.Names[0])}
	}
	return in, nil
}
