// Package binding writes the Java class of a Go function: a subclass of one of Drey's base classes whose eval (or
// accumulate) method has exactly the function's types, so that Flink's generated code calls it without conversion or
// reflection. All a method does is to hand its arguments to the base class.
package binding

import (
	"fmt"

	"github.com/drey-flink/drey/udf-bridge/internal/classfile"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// The base classes, in the shim's jar.
const (
	bases           = "dev/drey/flink/udf/"
	scalarClass     = bases + "GoScalarFunction"
	tableClass      = bases + "GoTableFunction"
	aggregateClass  = bases + "GoAggregateFunction"
	accumulatorType = "L" + bases + "GoAccumulator;"
)

// maxFixed is how many arguments a call without a buffer takes.
const maxFixed = 4

// Class writes the class file of f, whose Class field names it, for the build of that id.
func Class(f manifest.Function, build string) ([]byte, error) {
	b, err := class(f, build)
	if err != nil {
		return nil, fmt.Errorf("function %q: %w", f.Name, err)
	}
	return b, nil
}

func class(f manifest.Function, build string) ([]byte, error) {
	arguments, result, err := types(f)
	if err != nil {
		return nil, err
	}
	g := generator{arguments: arguments, result: result}
	switch f.Kind {
	case manifest.KindScalar, manifest.KindRaw, manifest.KindJSON:
		g.start(f, scalarClass, build)
		if f.Kind == manifest.KindScalar && g.fixed() {
			g.evalFixed()
		} else {
			g.eval()
		}
	case manifest.KindTable:
		g.start(f, tableClass, build)
		g.evalTable()
	case manifest.KindAggregate:
		g.start(f, aggregateClass, build)
		g.accumulate("accumulate")
		if f.Retract {
			g.accumulate("retract")
		}
		if f.Merge {
			g.merge()
		}
	default:
		return nil, fmt.Errorf("is of kind %s, which this go-udf-builder does not know; use the one of the Drey version in go.mod", f.Kind)
	}
	return g.class.Bytes()
}

type generator struct {
	class     *classfile.Class
	arguments []javaType
	result    javaType
}

// start makes the class with its constructor, which hands the build's id and the function's name to the base class.
func (g *generator) start(f manifest.Function, super, build string) {
	g.class = classfile.New(internalName(f.Class), super)
	m := g.class.Method("<init>", "()V")
	m.This()
	m.String(build)
	m.String(f.Name)
	m.Special(super, "<init>", "(Ljava/lang/String;Ljava/lang/String;)V")
	m.Return()
}

// fixed says whether the function can be called with numbers alone, without a buffer.
func (g *generator) fixed() bool {
	if len(g.arguments) > maxFixed || !g.result.fixed() {
		return false
	}
	for _, a := range g.arguments {
		if !a.fixed() {
			return false
		}
	}
	return true
}

// evalFixed: public double eval(long a0) { return Double.longBitsToDouble(fixed(a0)); }
func (g *generator) evalFixed() {
	m := g.class.Method("eval", g.signature("", g.result.descriptor))
	m.This()
	call := "("
	for i, a := range g.arguments {
		m.Argument(i)
		toLong(m, a.descriptor)
		call += "J"
	}
	m.Virtual(g.class.Name(), "fixed", call+")J")
	fromLong(m, g.class.Name(), g.result.descriptor)
	m.Return()
}

// eval: public StringData eval(StringData a0) { begin(); put(0, a0); return (StringData) finish(); }
func (g *generator) eval() {
	m := g.class.Method("eval", g.signature("", g.result.descriptor))
	g.put(m, 0)
	m.This()
	m.Virtual(g.class.Name(), "finish", "()Ljava/lang/Object;")
	m.Cast(castName(g.result.boxed))
	unbox(m, g.result)
	m.Return()
}

// evalTable: public void eval(StringData a0) { begin(); put(0, a0); emit(); }
func (g *generator) evalTable() {
	m := g.class.Method("eval", g.signature("", "V"))
	g.put(m, 0)
	m.This()
	m.Virtual(g.class.Name(), "emit", "()V")
	m.Return()
}

// accumulate: public void accumulate(GoAccumulator acc, long a0) { begin(); put(0, a0); accumulateRow(acc); }
func (g *generator) accumulate(name string) {
	m := g.class.Method(name, g.signature(accumulatorType, "V"))
	g.put(m, 1)
	m.This()
	m.Argument(0)
	m.Virtual(g.class.Name(), name+"Row", "("+accumulatorType+")V")
	m.Return()
}

// merge: public void merge(GoAccumulator acc, Iterable others) { mergeAll(acc, others); }
func (g *generator) merge() {
	descriptor := "(" + accumulatorType + "Ljava/lang/Iterable;)V"
	m := g.class.Method("merge", descriptor)
	m.This()
	m.Argument(0)
	m.Argument(1)
	m.Virtual(g.class.Name(), "mergeAll", descriptor)
	m.Return()
}

// put hands all arguments over: the first of them is the method's parameter number first.
func (g *generator) put(m *classfile.Method, first int) {
	m.This()
	m.Virtual(g.class.Name(), "begin", "()V")
	for i, a := range g.arguments {
		m.This()
		m.Int(i)
		m.Argument(first + i)
		m.Virtual(g.class.Name(), "put", "(I"+a.put()+")V")
	}
}

// signature is the descriptor of a method with the function's arguments.
func (g *generator) signature(before, result string) string {
	descriptor := "(" + before
	for _, a := range g.arguments {
		descriptor += a.descriptor
	}
	return descriptor + ")" + result
}
