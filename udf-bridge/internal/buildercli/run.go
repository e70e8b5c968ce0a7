package buildercli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/udf-bridge/internal/argument"
	"github.com/drey-flink/drey/udf-bridge/internal/console"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

func (p *program) run() *cobra.Command {
	var parameters []string
	var trace bool
	cmd := &cobra.Command{
		Use: "run [FLAGS] JAR FUNCTION [ARGUMENT...]", Short: "Call one function, as Flink does", Args: jarAndFunction,
		Long: `Calls one function of a jar in a real JVM and prints its result as JSON: one line, of a table function one for each row.
What the function itself prints goes to stderr.

An argument is written plainly (12.5, DE, 2026-11-23), NULL as null; ARRAY as a JSON list, ROW and MAP as a JSON object,
bytes as 0x00ff or in base64. An aggregate function reads its rows from stdin, one JSON list or object a line.`,
		Example: `  go-udf-builder run go-udf-bridge.jar risk_score 612.1 null
  go-udf-builder run go-udf-bridge.jar words 'a few words'
  printf '[1.5]\n[2]\n' | go-udf-builder run go-udf-bridge.jar mean
  go-udf-builder run --parameter model=a.json go-udf-bridge.jar predict 7`,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := settings(parameters)
			if err != nil {
				return err
			}
			err = p.call(cmd.Context(), args[0], args[1], args[2:], set)
			var failure *console.Failure
			if trace && errors.As(err, &failure) {
				fmt.Fprintln(p.stderr, strings.TrimSpace(failure.Trace))
			}
			return err
		},
	}
	cmd.Flags().SetInterspersed(false) // -1 is an argument
	parameterFlag(cmd, &parameters)
	cmd.Flags().BoolVar(&trace, "trace", false, "print the stack trace of a panic too")
	return cmd
}

func jarAndFunction(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("%s wants a jar and a function, as: %[1]s go-udf-bridge.jar risk_score 612.1", cmd.CommandPath())
	}
	return nil
}

// call calls a function of a jar once.
func (p *program) call(ctx context.Context, path, name string, arguments []string, parameters map[string]string) error {
	_, m, path, err := readJar(path)
	if err != nil {
		return err
	}
	f, err := lookup(m, name)
	if err != nil {
		return err
	}
	if err := declared(parameters, []manifest.Function{f}); err != nil {
		return err
	}
	call, err := p.prepare(f, arguments)
	if err != nil {
		return err
	}
	c, err := console.Start(ctx, console.Options{Jar: path, Stderr: p.stderr})
	if err != nil {
		return err
	}
	defer c.Close()
	request := map[string]string{"function": f.Name, "signature": f.Signature, "job": "run", "subtask": "0", "parallelism": "1", "attempt": "0"}
	for key, value := range parameters {
		request["parameter."+key] = value
	}
	opened, err := c.Open(request)
	if err != nil {
		return err
	}
	if err := call(opened); err != nil {
		return err
	}
	return opened.Close()
}

// lookup finds a function by name.
func lookup(m manifest.Manifest, name string) (manifest.Function, error) {
	var names []string
	for _, f := range m.Functions {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	if near := nearest(name, names); near != "" {
		return manifest.Function{}, usageError{fmt.Errorf("no function %q in the jar; did you mean %s?", name, near)}
	}
	return manifest.Function{}, usageError{fmt.Errorf("no function %q in the jar; there are %s", name, strings.Join(names, ", "))}
}

// prepare reads the arguments, before anything is started, and returns what calls the function and prints the result.
func (p *program) prepare(f manifest.Function, arguments []string) (func(*console.Function) error, error) {
	if f.Kind == manifest.KindAggregate {
		if len(arguments) > 0 {
			return nil, usageError{fmt.Errorf("%s is an aggregate: it reads its rows from stdin, one JSON list a line", f.Name)}
		}
		return func(opened *console.Function) error { return p.aggregate(f, opened) }, nil
	}
	if len(arguments) != len(f.Arguments) {
		return nil, usageError{fmt.Errorf("%d arguments, but it is %s", len(arguments), f.Signature)}
	}
	if f.Kind == manifest.KindJSON || f.Kind == manifest.KindRaw {
		input := []byte(arguments[0])
		if digits, ok := strings.CutPrefix(arguments[0], "0x"); ok && f.Kind == manifest.KindRaw {
			var err error
			if input, err = hex.DecodeString(digits); err != nil {
				return nil, usageError{fmt.Errorf("argument %s: %w", arguments[0], err)}
			}
		}
		return func(opened *console.Function) error { return p.text(opened, input) }, nil
	}
	values := make([]any, len(arguments))
	for i, c := range f.Arguments {
		var err error
		if values[i], err = argument.Parse(c, arguments[i]); err != nil {
			return nil, usageError{fmt.Errorf("argument %s: %w", c.Name, err)}
		}
	}
	in, _, err := console.Codecs(f)
	if err != nil {
		return nil, err
	}
	input, err := in.Encode([][]any{values})
	if err != nil {
		return nil, usageError{fmt.Errorf("arguments: %w", err)}
	}
	return func(opened *console.Function) error { return p.rows(f, opened, console.Eval, input) }, nil
}

// text calls a function of bytes, and prints what it returns as it is if that is text.
func (p *program) text(opened *console.Function, input []byte) error {
	result, err := opened.Call(console.Eval, input)
	if err != nil {
		return err
	}
	if !utf8.Valid(result) {
		_, err = fmt.Fprintf(p.stdout, "0x%x\n", result)
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", bytes.TrimSuffix(result, []byte("\n")))
	return err
}

// rows calls a function and prints the rows of its result.
func (p *program) rows(f manifest.Function, opened *console.Function, op int, input []byte) error {
	_, out, err := console.Codecs(f)
	if err != nil {
		return err
	}
	result, err := opened.Call(op, input)
	if err != nil {
		return err
	}
	rows, err := out.Decode(result)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	enc := json.NewEncoder(p.stdout)
	enc.SetEscapeHTML(false)
	for _, values := range rows {
		var shown any
		if columns := console.ResultColumns(f); console.Flattened(f) {
			shown = argument.ShowRow(columns, values)
		} else {
			shown = argument.Show(columns[0], values[0])
		}
		if err := enc.Encode(shown); err != nil {
			return err
		}
	}
	return nil
}

// maxLine bounds a line of stdin.
const maxLine = 16 << 20

// aggregate adds up the rows of stdin and prints the result.
func (p *program) aggregate(f manifest.Function, opened *console.Function) error {
	in, _, err := console.Codecs(f)
	if err != nil {
		return err
	}
	var acc []byte
	lines := bufio.NewScanner(p.stdin)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		values, err := argument.Row(f.Arguments, lines.Bytes())
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		row, err := in.Encode([][]any{values})
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		input := binary.LittleEndian.AppendUint32(nil, uint32(len(acc)))
		if acc, err = opened.Call(console.Accumulate, append(append(input, acc...), row...)); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("stdin: %w", err)
	}
	return p.rows(f, opened, console.Result, acc)
}
