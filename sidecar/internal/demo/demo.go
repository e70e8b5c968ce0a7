// Package demo shows the whole path on real processes: a Flink cluster, an S3 server, the sidecar or the Go library in the
// TaskManager, and a job that scores records through it; then it says how well that went.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/drey-flink/drey/sidecar/functions/flights/dataset"
	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// Inputs of the demo.
const (
	Flights     = "flights"
	Generated   = "generated"
	Walkthrough = "walkthrough"
)

// Ways for the job to call Go.
const (
	HTTP = "http" // the sidecar, asynchronously
	UDF  = "udf"  // in the TaskManager, from the DataStream API; the jar is in Flink's lib
	SQL  = "sql"  // in the TaskManager, from a SQL statement; USING JAR
)

// Options of a demo.
type Options struct {
	Input       string // Flights, Generated or Walkthrough
	Via         string // HTTP, UDF or SQL
	Events      int64  // 0 = the input's own default
	Quick       bool   // a small input
	Keep        bool   // leave everything running
	Seed        int64  // of the generated input
	Rate        int64  // records a second; 0 = the input's own default
	Parallelism int    // of the job; 0 = 2
	Dir         string // of the cluster; empty = a temporary one, or .drey/dev with Keep
	Sidecar     string // program to serve with, for HTTP; empty = this one
	GoJar       string // of the functions, for UDF and SQL; empty = the one that scripts/build makes
	Report      string // file for the summary as JSON; empty = none
	Out         io.Writer
	Live        bool // Out is a terminal: the line of progress is written over
}

// input is what a choice of input means.
type input struct {
	class       string
	function    string
	events      int64 // by default
	quickEvents int64
	rate        int64
}

var inputs = map[string]input{
	Flights:     {class: "dev.drey.flink.jobs.FlightsJob", function: "flights", events: 336_776, quickEvents: 20_000},
	Generated:   {class: "dev.drey.flink.jobs.FraudJob", function: "fraud", events: 1_000_000, quickEvents: 20_000},
	Walkthrough: {class: "dev.drey.flink.jobs.FraudJob", function: "fraud", events: 1_000, quickEvents: 200, rate: 50},
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	if _, ok := inputs[o.Input]; !ok {
		return fmt.Errorf("--input %q, must be %s, %s or %s", o.Input, Flights, Generated, Walkthrough)
	}
	switch o.Via {
	case HTTP:
		if o.GoJar != "" {
			return fmt.Errorf("--go-jar is for --via %s and %s", UDF, SQL)
		}
	case UDF, SQL:
		if o.Sidecar != "" {
			return fmt.Errorf("--sidecar is for --via %s", HTTP)
		}
	default:
		return fmt.Errorf("--via %q, must be %s, %s or %s", o.Via, HTTP, UDF, SQL)
	}
	if o.Events < 0 || o.Rate < 0 || o.Seed < 0 || o.Parallelism < 0 {
		return errors.New("--events, --rate, --seed and --parallelism must not be negative")
	}
	return nil
}

func (o *Options) fill() (input, error) {
	if err := o.Check(); err != nil {
		return input{}, err
	}
	in := inputs[o.Input]
	if o.Events == 0 {
		o.Events = in.events
		if o.Quick {
			o.Events = in.quickEvents
		}
	}
	if o.Rate == 0 {
		o.Rate = in.rate
	}
	if o.Parallelism == 0 {
		o.Parallelism = defaultParallelism
	}
	return in, nil
}

const (
	defaultParallelism = 2

	capacity = 32 // in flight a subtask: enough to keep two cores busy, so that latency is not mostly waiting
)

// demo is one run.
type demo struct {
	Options
	input   input
	root    string
	cluster *cluster.Cluster
	flink   *flinkrest.Client
	job     string
	jar     string // of the jobs
	goJar   string // of the functions; empty with HTTP
	data    string // file of the flights
	out     string // folder of the decisions
	watch   *watch
	started time.Time
}

// Run runs the demo. Everything that it starts ends with it, unless Keep is set and it succeeds.
func Run(ctx context.Context, o Options) error {
	in, err := o.fill()
	if err != nil {
		return err
	}
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	d := &demo{Options: o, input: in, root: root, started: time.Now()}
	return InFolder(ctx, o.Dir, o.Keep, func(dir string) error {
		d.Dir = dir
		return d.run(ctx)
	})
}

// ErrForeign: the cluster in the folder is somebody else's, and stays as it is.
var ErrForeign = errors.New("a cluster runs there already")

// InFolder calls fn with the folder for a cluster: dir, or without one a temporary one, or with keep .drey/dev. What fn starts there is
// ended after it, unless it is to be kept and fn succeeded. The logs of what failed stay, and the error says where.
func InFolder(ctx context.Context, dir string, keep bool, fn func(dir string) error) (err error) {
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	temporary := dir == "" && !keep
	switch {
	case temporary:
		if dir, err = temporaryDir(filepath.Join(root, ".drey")); err != nil {
			return err
		}
	case dir == "":
		dir = filepath.Join(root, ".drey", "dev")
	}
	defer func() {
		if errors.Is(err, ErrForeign) || err == nil && keep {
			return
		}
		// Also after Ctrl-C: the context has ended, what was started has not.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, downErr := cluster.Down(clean, dir)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w\nlogs are in %s", err, keepLogs(root, dir, temporary))
		}
		if temporary {
			downErr = errors.Join(downErr, os.RemoveAll(dir))
		}
		err = errors.Join(err, downErr)
	}()
	return fn(dir)
}

// keepLogs returns where the logs of a demo that failed stay.
func keepLogs(root, dir string, temporary bool) string {
	logs := filepath.Join(dir, "logs")
	if !temporary {
		return logs
	}
	kept := filepath.Join(root, ".drey", "failed-"+filepath.Base(dir))
	if err := errors.Join(os.RemoveAll(kept), os.Rename(logs, kept)); err != nil {
		return err.Error()
	}
	return kept
}

// temporaryDir makes a folder for one demo. It is in the checkout and not in the system's folder for such things, which
// is often in memory: small, and without the extended attributes that the S3 server needs. Folders of demos that were
// killed (kill -9) are removed on the way.
func temporaryDir(parent string) (string, error) {
	const prefix = "demo-"
	old, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range old {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), prefix))
		if err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(parent, prefix+strconv.Itoa(os.Getpid()))
	return dir, errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
}

func (d *demo) say(format string, a ...any) { fmt.Fprintf(d.Out, "  "+format+"\n", a...) }

var viaWords = map[string]string{
	HTTP: "beside Flink", UDF: "in the TaskManager", SQL: "in the TaskManager, called from SQL",
}

func (d *demo) run(ctx context.Context) error {
	fmt.Fprintf(d.Out, "Drey demo: %s, %d events, Flink %s, the decision made in Go, %s\n", d.Input, d.Events, cluster.FlinkVersion, viaWords[d.Via])
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.submit(ctx); err != nil {
		return err
	}
	decisions, err := d.watch.follow(ctx)
	if err != nil {
		return err
	}
	s, err := d.summarise(decisions)
	if err != nil {
		return err
	}
	s.print(d.Out)
	if d.Report != "" {
		if err := s.write(d.Report); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	if err := s.check(); err != nil {
		return err
	}
	if d.Keep {
		d.printURLs()
	}
	return nil
}

// prepare makes ready what takes long the first time, before anything runs.
func (d *demo) prepare(ctx context.Context) (err error) {
	say := func(s string) { d.say("%s", s) }
	if d.jar, err = cluster.JobsJar(ctx, d.root, say); err != nil {
		return err
	}
	if d.Via != HTTP {
		if d.goJar = d.GoJar; d.goJar == "" {
			if d.goJar, err = cluster.GoJar(ctx, d.root, say); err != nil {
				return err
			}
		}
	}
	if d.Input == Flights {
		d.data, err = dataset.Prepare(ctx, filepath.Join(d.root, ".drey", "data"), say)
	}
	return err
}

func (d *demo) start(ctx context.Context) (err error) {
	options := cluster.Options{
		Dir: d.Dir, Slots: d.Parallelism, Tied: !d.Keep, AnyPorts: !d.Keep, Progress: func(s string) { d.say("%s", s) },
	}
	if d.Via == UDF {
		options.Lib = []string{d.goJar}
	}
	var already bool
	d.cluster, already, err = cluster.Up(ctx, options)
	if err != nil {
		return err
	}
	if already {
		// Its job, sidecar and checkpoints are somebody's: they are not taken away without a word.
		return fmt.Errorf("%s: %w; end it with drey dev down --dir %[1]s, or give this demo a --dir of its own", d.Dir, ErrForeign)
	}
	d.flink = flinkrest.New(d.cluster.Flink)
	if d.Via != HTTP {
		d.say("Flink %s, Go from %s, S3 %s", d.cluster.Flink, filepath.Base(d.goJar), d.cluster.S3)
		return nil
	}
	program := d.Sidecar
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return err
		}
	}
	var flags []string
	if d.Keep { // there will be somebody to look at the checkpoints
		flags = d.cluster.WatchFlags()
	}
	sidecar, err := d.cluster.StartSidecar(ctx, program, flags...)
	if err != nil {
		return err
	}
	d.say("Flink %s, sidecar http://%s, S3 %s", d.cluster.Flink, sidecar.HTTP, d.cluster.S3)
	return nil
}

// choose makes a file of the flights that are asked for, if not all are.
func (d *demo) choose() error {
	if d.Input != Flights {
		return nil
	}
	if d.Events >= d.input.events {
		d.Events = d.input.events
		return nil
	}
	all := d.data
	d.data = filepath.Join(d.Dir, "flights.jsonl")
	return sampleJudged(all, d.data, d.Events)
}

func (d *demo) submit(ctx context.Context) error {
	if err := d.choose(); err != nil {
		return err
	}
	id, err := d.flink.UploadJar(ctx, d.jar)
	if err != nil {
		return err
	}
	d.out = filepath.Join(d.Dir, "out")
	args := []string{
		"--via", d.Via,
		"--output-path", "file://" + d.out,
		"--parallelism", strconv.Itoa(d.Parallelism),
		"--follow", strconv.FormatBool(d.Keep),
		"--rate", strconv.FormatInt(d.Rate, 10),
	}
	if d.Input == Flights {
		args = append(args, "--input-path", "file://"+d.data) // all of the file
	} else {
		args = append(args, "--input", d.Input, "--events", strconv.FormatInt(d.Events, 10))
	}
	if d.Input == Generated && d.Seed != 0 {
		args = append(args, "--seed", strconv.FormatInt(d.Seed, 10))
	}
	if d.Via == SQL {
		args = append(args, "--go-jar", "file://"+d.goJar)
	}
	interval := "5 s"
	if d.Quick || d.Events < 100_000 {
		interval = "500 ms"
	}
	config := map[string]string{"execution.checkpointing.interval": interval}
	if d.Via == HTTP {
		config["drey.sidecar.url"] = "http://" + d.cluster.Sidecar.HTTP
		config["drey.async.on-error"] = "side-output"
		config["drey.async.capacity"] = strconv.Itoa(capacity)
	}
	d.job, err = d.flink.RunJar(ctx, id, flinkrest.Run{EntryClass: d.input.class, Args: args, Parallelism: d.Parallelism, Config: config})
	if err != nil {
		return err
	}
	d.say("job %s submitted: %s", d.job, d.input.class)
	d.watch = &watch{demo: d, checkpoints: map[int64]string{}}
	return nil
}

func (d *demo) printURLs() {
	line := func(name, format string, a ...any) {
		fmt.Fprintf(d.Out, "  %-10s %s\n", name, fmt.Sprintf(format, a...))
	}
	fmt.Fprintln(d.Out, "\nLeft running (--keep):")
	line("Flink", "%s/#/job/running/%s/overview", d.cluster.Flink, d.job)
	if s := d.cluster.Sidecar; s != nil {
		line("sidecar", "http://%s/v1/status", s.HTTP)
		line("metrics", "http://%s/metrics", s.Admin)
	}
	line("S3", "%s, objects as files in %s", d.cluster.S3, d.cluster.Data)
	line("decisions", "%s", d.out)
	line("logs", "%s", filepath.Join(d.Dir, "logs"))
	d.printCommands()
	fmt.Fprintf(d.Out, "End it with: scripts/dev down --dir %s\n", d.Dir)
}

// printCommands says how to look at the checkpoints of what was left running.
func (d *demo) printCommands() {
	keys, ask, store := "", " --dev", ""
	if d.Dir != filepath.Join(d.root, ".drey", "dev") { // which is what --dev stands for
		keys = fmt.Sprintf("export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s\n  ", d.cluster.AccessKey, d.cluster.SecretKey)
		ask, store = " --flink "+d.cluster.Flink, " --s3-endpoint "+d.cluster.S3+" --s3-path-style"
	}
	fmt.Fprintf(d.Out, `
Look at its checkpoints:
  PATH=%s:$PATH
  %sdrey jobs list%s
  drey checkpoints list%[3]s%[4]s --verify
  drey checkpoints show latest%[3]s%[4]s
  drey checkpoints verify latest%[3]s%[4]s
  drey checkpoints pull latest%[3]s%[4]s --to ./copy
`, filepath.Join(d.root, ".drey", "bin"), keys, ask, store)
	if s := d.cluster.Sidecar; s != nil {
		fmt.Fprintf(d.Out, `The sidecar copies each of them to %s, and tells of it:
  drey checkpoints list --server %s
  drey checkpoints watch --server %[2]s --after 0
`, filepath.Join(d.Dir, "watch"), s.HTTP)
	}
}
