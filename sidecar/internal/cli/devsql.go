package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
)

func (p *program) devSQL() *cobra.Command {
	var (
		dir, file string
		jars      []string
		define    []string
	)
	cmd := &cobra.Command{
		Use: "sql", Short: "Flink's SQL client on the cluster", Args: cobra.NoArgs,
		Long: `Starts Flink's own SQL client against the cluster that drey dev up started. Without a terminal, statements are read from
standard input and run in turn; the first that fails ends them, and the exit status is 1. A statement ends with ; at the
end of a line.`,
		Example: `  drey dev sql
  drey dev sql -f statements.sql
  printf 'LOAD MODULE go;\nSELECT risk_score(1, 2.5);' | drey dev sql --jar go-udf-bridge.jar`,
	}
	dirFlag(cmd, &dir)
	cmd.Flags().StringVarP(&file, "file", "f", "", "run the statements of this `file`, and end")
	cmd.Flags().StringArrayVarP(&jars, "jar", "j", nil, "a jar for the session and its jobs; may be given again")
	cmd.Flags().StringArrayVarP(&define, "define", "D", nil, "a key=value of the session's Flink configuration; may be given again")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := definitions(define)
		if err != nil {
			return err
		}
		path, err := clusterDir(dir)
		if err != nil {
			return err
		}
		state, err := cluster.Load(path)
		if err != nil {
			return fmt.Errorf("no cluster in %s: start it with drey dev up", path)
		}
		for i, jar := range jars {
			if jars[i], err = filepath.Abs(jar); err != nil {
				return err
			}
			if _, err := os.Stat(jars[i]); err != nil {
				return usageError{fmt.Errorf("--jar: %w", err)}
			}
		}
		stdin := cmd.InOrStdin()
		if file == "" && !isTerminal(stdin) {
			temp, err := spool(stdin)
			if err != nil {
				return err
			}
			defer os.Remove(temp)
			file = temp
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		return unlessInterrupted(ctx, state.RunSQL(ctx, cluster.SQLSession{
			File: file, Jars: jars, Config: config, Stdin: stdin, Stdout: p.stdout, Stderr: p.stderr,
		}))
	}
	return cmd
}

// spool writes what comes from standard input into a file: only statements of a file end the client with a status.
func spool(from io.Reader) (path string, err error) {
	file, err := os.CreateTemp("", "drey-*.sql")
	if err != nil {
		return "", err
	}
	n, err := io.Copy(file, from)
	err = errors.Join(err, file.Close())
	if err == nil && n == 0 {
		err = usageError{errors.New("no statements: give them with -f, on standard input, or type them at a terminal")}
	}
	if err != nil {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), err
}
