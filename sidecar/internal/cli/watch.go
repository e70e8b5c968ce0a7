package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/server"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/sidecar/internal/watch"
)

// watched are the keys of the configuration that matter to drey watch, by how they begin.
var watched = []string{"watch.", "http.", "admin.", "insecure", "data_dir", "drain.", "log.", "telemetry."}

func (p *program) watch() *cobra.Command {
	var readyFile, output string
	var once bool
	cmd, s := withSettings(&cobra.Command{
		Use: "watch --watch-flink URL --watch-dir DIR", Short: "Keep verified local copies of Flink's checkpoints, without answering events", Args: cobra.NoArgs,
		Long: `Follows the jobs of a Flink cluster and makes a verified local copy of each checkpoint that completes, as drey serve does with
watch.flink. It answers GET /v1/checkpoints, /v1/jobs and /v1/events, and POST /v1/checkpoints/notify, at the addresses of http
and admin. Flink and the store may come and go. SIGTERM and SIGINT end it, exit 0; a copy that was begun goes on at the next start.

--once asks Flink once, copies the newest checkpoint of each job, and ends: exit 0 if each can be restored from its copy, 1 if
something could not be copied or is not restorable.

The keys for S3 are those of the AWS SDK: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the machine's role.
Every flag is also a key of the file and a variable: --watch-flink is watch.flink and DREY_WATCH_FLINK.`,
		Example: `  drey watch --watch-flink http://jm-0:8081,http://jm-1:8081 --watch-dir /var/lib/drey
  drey watch --watch-flink http://127.0.0.1:8081 --watch-dir ./ck --watch-s3-endpoint http://127.0.0.1:9000 --watch-s3-path-style
  drey watch --once --watch-flink http://127.0.0.1:8081 --watch-dir ./ck        from cron
  drey checkpoints watch --server http://127.0.0.1:8080                         events as they come`,
	})
	for _, k := range config.Keys() {
		if !slices.ContainsFunc(watched, func(prefix string) bool { return strings.HasPrefix(k.Path, prefix) }) {
			_ = cmd.Flags().MarkHidden(k.Flag()) // an error is a flag that does not exist
		}
	}
	cmd.Flags().StringVar(&readyFile, "ready-file", "", "JSON file with the bound addresses and the pid, written once ready, removed at the end")
	cmd.Flags().BoolVar(&once, "once", false, "copy once what there is, and end")
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := s.load(p.environ)
		if err != nil {
			return err
		}
		if !loaded.Watch.On() {
			return usageError{errors.New("whom to watch? give the JobManager with --watch-flink http://host:8081")}
		}
		if once {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return unlessInterrupted(ctx, p.watchOnce(ctx, loaded, output))
		}
		signals := make(chan os.Signal, 4)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		defer signal.Stop(signals)
		return server.Run(cmd.Context(), server.Options{
			Config: loaded, WatchOnly: true, ReadyFile: readyFile, Version: programVersion(), LogOutput: p.stderr, Signals: signals,
		})
	}
	return cmd
}

func (p *program) watchOnce(ctx context.Context, loaded config.Loaded, output string) (err error) {
	log, err := telemetry.NewLog(p.stderr, loaded.Log.Level, loaded.Log.Format)
	if err != nil {
		return err
	}
	w, err := watch.New(ctx, loaded.Watch, loaded.DataDir, uncounted{}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	done, err := w.Once(ctx)
	if done == nil {
		done = []checkpoint.Record{}
	}
	shown := p.print(output, struct {
		Checkpoints []checkpoint.Record `json:"checkpoints"`
	}{done}, func(out io.Writer) {
		if len(done) == 0 {
			fmt.Fprintln(out, "nothing new to copy")
			return
		}
		row(out, "JOB", "ID", "STATE", "COPY", "FILES", "RESTORABLE", "FOLDER")
		for _, r := range done {
			row(out, r.Job, strconv.FormatInt(r.ID, 10), string(r.State), byteSize(r.Bytes), strconv.Itoa(r.Files), yesNo(r.Restorable()), orDash(w.Folder(r)))
		}
	})
	return errors.Join(err, shown)
}

// uncounted is the observer of a watcher that ends before anybody could ask for metrics.
type uncounted struct{}

func (uncounted) FlinkAsked(bool)                                                 {}
func (uncounted) CheckpointFinished(checkpoint.State, bool, int64, time.Duration) {}
func (uncounted) CheckpointsMissed(int)                                           {}
func (uncounted) JobRestored()                                                    {}
