package verify

import (
	"fmt"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// Case is one row of arguments and what is special about it.
type Case struct {
	Name      string
	Arguments []any
}

// Cases are the rows that a function is called with: usual values; NULL in each place that may be NULL, one by one and
// everywhere at once; and each extreme of each argument, beside usual values of the others.
func Cases(arguments []manifest.Column) []Case {
	row := func() []any {
		values := make([]any, len(arguments))
		for i, a := range arguments {
			values[i] = usual(a.Type)
		}
		return values
	}
	cases := []Case{{"usual values", row()}}
	allNull, nullable := row(), 0
	for i, a := range arguments {
		if !a.Nullable() {
			continue
		}
		nullable++
		allNull[i] = nil
		values := row()
		values[i] = nil
		cases = append(cases, Case{a.Name + " NULL", values})
	}
	if nullable > 1 {
		cases = append(cases, Case{"every nullable argument NULL", allNull})
	}
	for i, a := range arguments {
		for n, extreme := range extremes(a.Type) {
			values := row()
			values[i] = extreme
			cases = append(cases, Case{fmt.Sprintf("extreme %d of %s (%s)", n+1, a.Name, brief(extreme)), values})
		}
	}
	return cases
}
