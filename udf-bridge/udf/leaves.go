package udf

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// leafOf is how to plan a Go type that is a SQL type of its own whatever it is made of; nil for any other type. The
// argument of the plan is what the field's tag asks for.
func leafOf(t reflect.Type) func(sql string) (*plan, error) {
	switch t {
	case timeType:
		return zonedPlan
	case reflect.TypeFor[Timestamp]():
		return timestampPlan
	case decimalType:
		return decimalPlan
	case reflect.TypeFor[Date]():
		return unrefined("udf.Date", datePlan)
	case reflect.TypeFor[TimeOfDay]():
		return unrefined("udf.TimeOfDay", timeOfDayPlan)
	case reflect.TypeFor[Months]():
		return unrefined("udf.Months", monthsPlan)
	case reflect.TypeFor[time.Duration]():
		return unrefined("time.Duration", durationPlan)
	default:
		return nil
	}
}

const refinable = "only string, []byte, decimal.Decimal, time.Time and udf.Timestamp have a length or precision; remove what follows the comma"

func unrefined(name string, make func() *plan) func(string) (*plan, error) {
	return func(sql string) (*plan, error) {
		if sql != "" {
			return nil, fmt.Errorf("%s: its tag asks for %s, but %s", name, sql, refinable)
		}
		return make(), nil
	}
}

var refinement = regexp.MustCompile(`^([A-Z_]+)(?:\s*\(\s*([0-9]{1,10})\s*(?:,\s*([0-9]{1,10})\s*)?\))?$`)

// refined is a SQL type as a tag asks for it: VARCHAR(20) or DECIMAL(10, 2).
type refined struct {
	name          string
	first, second int // -1: not given
}

// refine reads the part of a tag behind the comma. family are the forms that the Go type can take; an empty tag is the
// Go type's own.
func refine(goType, sql string, family ...string) (refined, error) {
	r := refined{first: -1, second: -1}
	if sql == "" {
		return r, nil
	}
	parts := refinement.FindStringSubmatch(strings.ToUpper(sql))
	if parts != nil {
		r.name = parts[1]
		for i, to := range []*int{&r.first, &r.second} {
			if text := parts[i+2]; text != "" {
				n, err := strconv.ParseInt(text, 10, 32)
				if err != nil {
					n = -2 // beyond every limit
				}
				*to = int(n)
			}
		}
		for _, form := range family {
			name, _, parameters := strings.Cut(form, "(")
			if r.name == name && (r.first != -1) == parameters && (r.second == -1 || strings.Contains(form, ",")) {
				return r, nil
			}
		}
	}
	return r, fmt.Errorf("%s: its tag asks for %s, which it cannot be; it can be %s", goType, sql, strings.Join(family, ", "))
}

// within checks a length or precision.
func (r refined) within(goType string, what string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s: the %s of %s must be %d to %d", goType, what, r.name, least, most)
	}
	return nil
}

const maxLength = 1<<31 - 1 // of CHAR and its like in Flink
