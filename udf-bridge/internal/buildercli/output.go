package buildercli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "table", "table for people, json for programs")
}

// print writes v as JSON, or what table writes.
func (p *program) print(output string, v any, table func(w io.Writer)) error {
	switch output {
	case "json":
		enc := json.NewEncoder(p.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	case "table":
		w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		table(w)
		return w.Flush()
	default:
		return usageError{fmt.Errorf("--output %q, must be table or json", output)}
	}
}

// progress prints a step that is done and how long it took.
func (p *program) progress(step string, took time.Duration) {
	fmt.Fprintf(p.stderr, "%-28s %6.1f s\n", step, took.Seconds())
}
