package udf

import (
	"context"
	"fmt"
	"reflect"
	"slices"
)

// Option describes a function further.
type Option func(*settings)

// settings are what the options of a function come to.
type settings struct {
	doc           string
	deterministic bool
	nullOnNull    bool
	args          []string
	returns       string
	parameters    []ParameterInfo
	opens         []opening
}

// opening is what udf.Open was given, without its type parameter.
type opening struct {
	typ  reflect.Type
	open func(ctx context.Context, job Job) (any, error)
}

func settingsOf(opts []Option) settings {
	s := settings{deterministic: true}
	for _, o := range opts {
		o(&s)
	}
	return s
}

// Doc is a sentence for the people who call the function.
func Doc(text string) Option { return func(s *settings) { s.doc = text } }

// Deterministic says whether the same arguments always give the same result. The default is true, as in Flink.
func Deterministic(yes bool) Option { return func(s *settings) { s.deterministic = yes } }

// Args names the arguments in order, in place of the names of the struct's fields, or of "value" if the input is not a
// struct.
func Args(names ...string) Option { return func(s *settings) { s.args = names } }

// Returns refines the SQL type of a result that is no struct, as a field's tag does: Returns("DECIMAL(10, 2)"). Of a TABLE
// it is the type of the rows.
func Returns(sql string) Option { return func(s *settings) { s.returns = sql } }

// NullOnNull makes a function SQL's RETURNS NULL ON NULL INPUT: its arguments and its result are nullable in SQL, and
// where one of the arguments that Go declares as not nullable is NULL, the result is NULL and Go is not called. A table
// function emits no rows then, an aggregate passes over the row.
func NullOnNull() Option { return func(s *settings) { s.nullOnNull = true } }

// Parameter declares a parameter of the job that the function reads when it is opened: [Job.Parameters] has it, with
// the default if the job does not set it. A function sees no parameter that it does not declare.
func Parameter(name, defaultValue, doc string) Option {
	return func(s *settings) {
		s.parameters = append(s.parameters, ParameterInfo{Name: name, Default: defaultValue, Doc: doc})
	}
}

// Open gives the function something that is made once, before its first call, and not for each: a model, a client, a
// compiled expression. In the TaskManager that is once for each operator that uses the function and each of its
// subtasks, in the sidecar once at start. The function gets it by [Opened]. If T is an [io.Closer] it is closed when the
// operator ends. It must be safe for concurrent use if the function is to run in the sidecar. A goroutine that is
// started in open with [Go] runs until then too.
func Open[T any](open func(ctx context.Context, job Job) (T, error)) Option {
	return func(s *settings) {
		s.opens = append(s.opens, opening{typ: reflect.TypeFor[T](), open: func(ctx context.Context, job Job) (any, error) {
			return open(ctx, job)
		}})
	}
}

// check finds what no function can have.
func (s *settings) check() error {
	if len(s.opens) > 1 {
		return fmt.Errorf("udf.Open is given %d times; open one struct that holds all of it", len(s.opens))
	}
	for i, p := range s.parameters {
		if p.Name == "" {
			return fmt.Errorf("parameter %d has no name; give udf.Parameter one", i+1)
		}
		if slices.ContainsFunc(s.parameters[:i], func(other ParameterInfo) bool { return other.Name == p.Name }) {
			return fmt.Errorf("parameter %q is declared twice; remove one udf.Parameter", p.Name)
		}
	}
	return nil
}

// rename gives the arguments the names that udf.Args has.
func (s *settings) rename(arguments []Field) ([]Field, error) {
	if s.args == nil {
		return arguments, nil
	}
	if len(s.args) != len(arguments) {
		return nil, fmt.Errorf("udf.Args names %d arguments, the function has %d (%s); name each of them", len(s.args), len(arguments), names(arguments))
	}
	renamed := slices.Clone(arguments)
	for i, name := range s.args {
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("udf.Args: %w", err)
		}
		if slices.Contains(s.args[:i], name) {
			return nil, fmt.Errorf("udf.Args names two arguments %q; give each its own name", name)
		}
		renamed[i].Name = name
	}
	return renamed, nil
}
