package udf

import (
	"errors"
	"strings"
)

// Violation is one way in which an event does not fit a function's arguments. Field is a path such as items[2].amount.
type Violation struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// InputError says that an event does not fit the arguments of a function. It lists every violation, not the first one.
type InputError struct{ Violations []Violation }

func (e *InputError) Error() string {
	parts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		parts[i] = v.Field + ": " + v.Message
	}
	return strings.Join(parts, "; ")
}

// ResultError says that what a function returned is no value of its SQL type. Field is a path such as items[2].amount,
// or empty if it is about the result as a whole.
type ResultError struct {
	Field   string
	Message string

	accumulator bool // what it is about is the accumulator of an aggregate, not its result
}

func (e *ResultError) Error() string {
	what := "the result"
	if e.accumulator {
		what = "the accumulator"
	}
	switch {
	case e.Field == "":
	case strings.HasPrefix(e.Field, "["):
		what += e.Field
	default:
		what += "'s " + e.Field
	}
	return what + " " + e.Message
}

var errNotNull = errors.New("is NULL, the function takes it NOT NULL (a Go pointer or udf.Null would take NULL)")

// fieldError is an error on its way up from the field that has it.
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string { return e.path + ": " + e.err.Error() }

func (e *fieldError) Unwrap() error { return e.err }

// atField says that err is of the field, or of what its path leads to from there. A value that is no field has no name.
func atField(name string, err error) error {
	if name == "" {
		return err
	}
	if at, ok := err.(*fieldError); ok {
		separator := "."
		if strings.HasPrefix(at.path, "[") {
			separator = ""
		}
		return &fieldError{path: name + separator + at.path, err: at.err}
	}
	return &fieldError{path: name, err: err}
}

func inputError(err error) error {
	if at, ok := err.(*fieldError); ok {
		return &InputError{Violations: []Violation{{Field: at.path, Message: at.err.Error()}}}
	}
	return &InputError{Violations: []Violation{{Field: "row", Message: err.Error()}}}
}

func resultError(err error) *ResultError {
	if at, ok := err.(*fieldError); ok {
		return &ResultError{Field: at.path, Message: at.err.Error()}
	}
	return &ResultError{Message: err.Error()}
}
