package buildercli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/udf-bridge/internal/builder"
	"github.com/drey-flink/drey/udf-bridge/internal/jarfile"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// description is what describe prints as JSON.
type description struct {
	Jar       string              `json:"jar,omitempty"`
	Build     string              `json:"build,omitempty"`
	Functions []manifest.Function `json:"functions"`
	SQL       []string            `json:"sql"` // statements to paste
}

func (p *program) describe() *cobra.Command {
	var s sourceFlags
	var output string
	cmd := &cobra.Command{
		Use: "describe PACKAGE... | JAR", Short: "List functions with SQL signatures, and the statements to paste", Args: somePackages,
		Long: `Lists the functions of packages, or of a built jar: signature, documentation, job parameters, and the SQL that makes
them known to Flink. Of packages this needs neither a C compiler nor a JDK.`,
		Example: `  go-udf-builder describe ./functions
  go-udf-builder describe go-udf-bridge.jar -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.described(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			return p.print(output, d, func(w io.Writer) { printDescription(w, d) })
		},
	}
	s.add(cmd)
	outputFlag(cmd, &output)
	return cmd
}

func (p *program) described(ctx context.Context, s sourceFlags, args []string) (description, error) {
	if !strings.HasSuffix(args[0], ".jar") {
		o, err := p.options(s, args)
		if err != nil {
			return description{}, err
		}
		functions, err := builder.Describe(ctx, o)
		if err != nil {
			return description{}, err
		}
		return description{Functions: functions, SQL: statements("go-udf-bridge.jar", functions)}, nil
	}
	if len(args) > 1 {
		return description{}, usageError{fmt.Errorf("describe takes one jar, or packages")}
	}
	path, err := filepath.Abs(args[0])
	if err != nil {
		return description{}, err
	}
	jar, err := jarfile.ReadFile(path)
	if err != nil {
		return description{}, err
	}
	m, err := manifest.Of(jar)
	if err != nil {
		return description{}, fmt.Errorf("%s: %w", args[0], err)
	}
	return description{Jar: path, Build: m.Build, Functions: m.Functions, SQL: statements(path, m.Functions)}, nil
}

// statements are the two ways to make the functions known to Flink: the module, which knows them all, or one by one.
func statements(jar string, functions []manifest.Function) []string {
	quoted := "'" + strings.ReplaceAll(jar, "'", "''") + "'"
	all := []string{"ADD JAR " + quoted + ";", "LOAD MODULE go;"}
	for _, f := range functions {
		all = append(all, fmt.Sprintf("CREATE TEMPORARY SYSTEM FUNCTION %s AS '%s' USING JAR %s;", identifier(f.Name), f.Class, quoted))
	}
	return all
}

func printDescription(w io.Writer, d description) {
	for _, f := range d.Functions {
		fmt.Fprintf(w, "%s\n    %s\n", f.Signature, cmp.Or(f.Doc, "(no doc)"))
		var notes []string
		if f.Kind != manifest.KindScalar {
			notes = append(notes, strings.ToLower(f.Kind)+use(f))
		}
		if !f.Deterministic {
			notes = append(notes, "not deterministic")
		}
		if f.NullOnNull {
			notes = append(notes, "NULL if an argument is NULL that Go cannot take as NULL")
		}
		if len(notes) > 0 {
			fmt.Fprintf(w, "    %s\n", strings.Join(notes, "; "))
		}
		for _, parameter := range f.Parameters {
			fmt.Fprintf(w, "    job parameter %s (default %q): %s\n", parameter.Name, parameter.Default, cmp.Or(parameter.Doc, "(no doc)"))
		}
	}
	fmt.Fprintf(w, "\n-- all functions at once\n%s\n\n-- or one by one\n%s\n", strings.Join(d.SQL[:2], "\n"), strings.Join(d.SQL[2:], "\n"))
}

// use says how a function that is not scalar is called.
func use(f manifest.Function) string {
	switch f.Kind {
	case manifest.KindTable:
		return fmt.Sprintf(": FROM t, LATERAL TABLE(%s(...))", f.Name)
	case manifest.KindAggregate:
		var can []string
		if f.Retract {
			can = append(can, "retract")
		}
		if f.Merge {
			can = append(can, "merge")
		}
		return ", can " + cmp.Or(strings.Join(can, " and "), "only accumulate: no retract, no merge")
	default:
		return ""
	}
}

// identifier quotes a name where Flink's SQL would take it for a word of its own, or not at all.
func identifier(name string) string { return "`" + name + "`" }
