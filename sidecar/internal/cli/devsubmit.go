package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

func (p *program) devSubmit() *cobra.Command {
	var (
		dir, output, class string
		parallelism        int
		define             []string
	)
	cmd := &cobra.Command{
		Use: "submit JAR [-- ARGUMENT...]", Short: "Start a job on the cluster and print its id", Args: cobra.MinimumNArgs(1),
		Long: "Uploads a jar through Flink's REST API and starts it. What follows -- goes to the job's main method.",
		Example: `  drey dev submit flink-jobs/target/flink-jobs.jar --class dev.drey.flink.jobs.FraudJob \
    -D drey.sidecar.url=http://127.0.0.1:8080 -- --events 1000 --output-path file:///tmp/decisions`,
	}
	dirFlag(cmd, &dir)
	outputFlag(cmd, &output)
	cmd.Flags().StringVarP(&class, "class", "c", "", "main class (default: that of the jar's manifest)")
	cmd.Flags().IntVar(&parallelism, "parallelism", 1, "of the job, where the job does not say")
	cmd.Flags().StringArrayVarP(&define, "define", "D", nil, "a key=value of the job's Flink configuration; may be given again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
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
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		flink := flinkrest.New(state.Flink)
		jar, err := flink.UploadJar(ctx, args[0])
		if err != nil {
			return err
		}
		job, err := flink.RunJar(ctx, jar, flinkrest.Run{EntryClass: class, Args: args[1:], Parallelism: parallelism, Config: config})
		if err != nil {
			return err
		}
		started := struct {
			JobID string `json:"job_id"`
			URL   string `json:"url"`
		}{job, state.Flink + "/#/job/running/" + job + "/overview"}
		return p.print(output, started, func(w io.Writer) { row(w, started.JobID, started.URL) })
	}
	return cmd
}

// definitions are the key=value of -D.
func definitions(define []string) (map[string]string, error) {
	config := map[string]string{}
	for _, d := range define {
		key, value, ok := strings.Cut(d, "=")
		if !ok || key == "" {
			return nil, usageError{fmt.Errorf("-D %s: must be key=value", d)}
		}
		config[key] = value
	}
	return config, nil
}
