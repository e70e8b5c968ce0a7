// Package demo shows the whole path on real processes: a Flink cluster, an S3 server, the sidecar, and a job that scores
// records through it; then it says how well that went.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
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

// Options of a demo.
type Options struct {
	Input   string // Flights, Generated or Walkthrough
	Events  int64  // 0 = the input's own default
	Quick   bool   // a small input
	Keep    bool   // leave everything running
	Seed    int64  // of the generated input
	Rate    int64  // records a second; 0 = the input's own default
	Dir     string // of the cluster; empty = a temporary one, or .drey/dev with Keep
	Sidecar string // program to serve with; empty = this one
	Report  string // file for the summary as JSON; empty = none
	Out     io.Writer
	Live    bool // Out is a terminal: the line of progress is written over
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

func (o *Options) fill() (input, error) {
	in, ok := inputs[o.Input]
	if !ok {
		return in, fmt.Errorf("--input %q, must be %s, %s or %s", o.Input, Flights, Generated, Walkthrough)
	}
	if o.Events < 0 || o.Rate < 0 {
		return in, errors.New("--events and --rate must not be negative")
	}
	if o.Events == 0 {
		o.Events = in.events
		if o.Quick {
			o.Events = in.quickEvents
		}
	}
	if o.Rate == 0 {
		o.Rate = in.rate
	}
	return in, nil
}

const (
	slots       = 2
	parallelism = 2
	capacity    = 32 // in flight a subtask: enough to keep two cores busy, so that latency is not mostly waiting
)

// demo is one run.
type demo struct {
	Options
	input   input
	root    string
	cluster *cluster.Cluster
	flink   *flinkrest.Client
	job     string
	data    string // file of the flights
	out     string // folder of the decisions
	watch   *watch
	started time.Time
}

// Run runs the demo. Everything that it starts ends with it, unless Keep is set and it succeeds.
func Run(ctx context.Context, o Options) (err error) {
	in, err := o.fill()
	if err != nil {
		return err
	}
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	d := &demo{Options: o, input: in, root: root, started: time.Now()}
	temporary := d.Dir == "" && !d.Keep
	switch {
	case temporary:
		if d.Dir, err = os.MkdirTemp("", "drey-demo-"); err != nil {
			return err
		}
	case d.Dir == "":
		d.Dir = filepath.Join(root, ".drey", "dev")
	}
	defer func() {
		if err == nil && d.Keep {
			return
		}
		// Also after Ctrl-C: the context has ended, what was started has not.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, downErr := cluster.Down(clean, d.Dir)
		if err != nil && !errors.Is(err, context.Canceled) {
			err = fmt.Errorf("%w\nlogs are in %s", err, filepath.Join(d.Dir, "logs"))
		} else if temporary {
			downErr = errors.Join(downErr, os.RemoveAll(d.Dir))
		}
		err = errors.Join(err, downErr)
	}()
	return d.run(ctx)
}

func (d *demo) say(format string, a ...any) { fmt.Fprintf(d.Out, "  "+format+"\n", a...) }

func (d *demo) run(ctx context.Context) error {
	fmt.Fprintf(d.Out, "Drey demo: %s, %d events, Flink %s, the decision made in Go\n", d.Input, d.Events, cluster.FlinkVersion)
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

// prepare makes the input ready.
func (d *demo) prepare(ctx context.Context) error {
	if d.Input != Flights {
		return nil
	}
	all, err := dataset.Prepare(ctx, filepath.Join(d.root, ".drey", "data"), func(s string) { d.say("%s", s) })
	if err != nil {
		return err
	}
	d.data = all
	if d.Events < d.input.events {
		d.data = filepath.Join(d.Dir, "flights.jsonl")
		if err := os.MkdirAll(d.Dir, 0o755); err != nil {
			return err
		}
		return judgedSlice(all, d.data, d.Events)
	}
	d.Events = d.input.events
	return nil
}

func (d *demo) start(ctx context.Context) (err error) {
	var already bool
	d.cluster, already, err = cluster.Up(ctx, cluster.Options{
		Dir: d.Dir, Slots: slots, Tied: !d.Keep, AnyPorts: !d.Keep, Progress: func(s string) { d.say("%s", s) },
	})
	if err != nil {
		return err
	}
	if already {
		// Its job, sidecar and checkpoints are somebody's: they are not taken away without a word.
		d.Keep = true
		return fmt.Errorf("a cluster runs in %s already: end it with `drey dev down`, or give this demo a --dir of its own", d.Dir)
	}
	d.flink = flinkrest.New(d.cluster.Flink)
	program := d.Sidecar
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return err
		}
	}
	sidecar, err := d.cluster.StartSidecar(ctx, program)
	if err != nil {
		return err
	}
	d.say("Flink %s, sidecar http://%s, S3 %s", d.cluster.Flink, sidecar.HTTP, d.cluster.S3)
	return nil
}

func (d *demo) submit(ctx context.Context) error {
	jar := filepath.Join(d.root, "flink-jobs", "target", "flink-jobs.jar")
	if _, err := os.Stat(jar); err != nil {
		return fmt.Errorf("%w: build the jobs with scripts/build", err)
	}
	id, err := d.flink.UploadJar(ctx, jar)
	if err != nil {
		return err
	}
	d.out = filepath.Join(d.Dir, "out")
	args := []string{
		"--output-path", "file://" + d.out,
		"--parallelism", strconv.Itoa(parallelism),
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
	interval := "5 s"
	if d.Quick || d.Events < 100_000 {
		interval = "500 ms"
	}
	d.job, err = d.flink.RunJar(ctx, id, flinkrest.Run{
		EntryClass: d.input.class, Args: args, Parallelism: parallelism,
		Config: map[string]string{
			"drey.sidecar.url":                 "http://" + d.cluster.Sidecar.HTTP,
			"drey.async.on-error":              "side-output",
			"drey.async.capacity":              strconv.Itoa(capacity),
			"execution.checkpointing.interval": interval,
		},
	})
	if err != nil {
		return err
	}
	d.say("job %s submitted: %s", d.job, d.input.class)
	d.watch = &watch{demo: d, checkpoints: map[int64]string{}}
	return nil
}

func (d *demo) printURLs() {
	s := d.cluster.Sidecar
	fmt.Fprintf(d.Out, `
Left running (--keep):
  Flink      %s/#/job/%s/overview
  sidecar    http://%s/v1/status
  metrics    http://%s/metrics
  S3         %s, objects as files in %s
  decisions  %s
  logs       %s
End it with: drey dev down --dir %s
`, d.cluster.Flink, d.job, s.HTTP, s.Admin, d.cluster.S3, d.cluster.Data, d.out, filepath.Join(d.Dir, "logs"), d.Dir)
}
