// Package replaydemo shows on real processes what replay is for: a job runs, a bad rule goes live, the decisions that it changed
// are found by an audit from a checkpoint on, and the job is restarted from that checkpoint with the good rule. The counts that
// the job keeps in Go's state prove that nothing was lost or counted twice.
package replaydemo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/demo"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// Options of the demo.
type Options struct {
	Dir    string // of the cluster; empty = a temporary one, or .drey/dev with Keep
	Report string // file for the diff report as an HTML page; empty = none
	Keep   bool   // leave everything running
	Out    io.Writer
}

const (
	class = "dev.drey.flink.jobs.VelocityJob"
	rate  = 300 // payments a second
	// underBadRule is how many payments the bad rule gets to judge before it is noticed.
	underBadRule = 1500
	patience     = 2 * time.Minute
	parallelism  = 2
)

// The rules: an account that pays much and often is stopped. With the bad one, whoever pays more than a coffee.
const (
	goodRules = `version: good
rules:
  - name: much-and-often
    when: event.amount > 300.0 && event.count > 2.0
    score: 0.9
    decision: alert
    reason: a large amount, and not the first
`
	badRules = `version: bad
rules:
  - name: much-and-often
    when: event.amount > 3.0
    score: 0.9
    decision: alert
    reason: a large amount, and not the first
`
)

// jobConfig is what the job is submitted with, each time.
var jobConfig = map[string]string{
	"execution.checkpointing.interval":                          "1 s",
	"execution.checkpointing.tolerable-failed-checkpoints":      "100",
	"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
}

type scenario struct {
	Options
	program string // drey
	rules   string // file
	out     string // folder of the decisions
	jar     string
	cluster *cluster.Cluster
	flink   *flinkrest.Client
	server  string
	job     string
}

// Run runs the demo. Everything that it starts ends with it, unless it succeeds and is to be kept.
func Run(ctx context.Context, o Options) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return demo.InFolder(ctx, o.Dir, o.Keep, func(dir string) error {
		o.Dir = dir
		s := &scenario{Options: o, program: program, rules: filepath.Join(dir, "rules.yaml"), out: filepath.Join(dir, "out")}
		return s.run(ctx)
	})
}

func (s *scenario) title(format string, a ...any) { fmt.Fprintf(s.Out, "\n"+format+"\n", a...) }
func (s *scenario) say(format string, a ...any)   { fmt.Fprintf(s.Out, "  "+format+"\n", a...) }

func (s *scenario) run(ctx context.Context) error {
	fmt.Fprintf(s.Out, "Drey demo: a bad rule goes live, and what replay does about it. Flink %s, state and rules in Go\n", cluster.FlinkVersion)
	if err := s.start(ctx); err != nil {
		return err
	}

	s.title("1. The job runs. Payments are counted by account in Go's state, and judged by the rules")
	if err := s.submit(ctx); err != nil {
		return err
	}
	enough := func(decisions int) func(*outcome) bool {
		return func(o *outcome) bool { return o.lines >= decisions }
	}
	before, err := s.checkpointAfter(ctx, "some decisions", enough(3*rate))
	if err != nil {
		return err
	}
	s.say("checkpoint %d is complete", before.ID)

	s.title("2. A bad rule goes live: it stops whoever pays more than 3.00")
	if err := s.load(ctx, badRules); err != nil {
		return err
	}
	was, err := readOutcome(s.out)
	if err != nil {
		return err
	}
	if _, err := s.checkpointAfter(ctx, "decisions by the bad rule", enough(was.lines+underBadRule)); err != nil {
		return err
	}
	now, err := readOutcome(s.out)
	if err != nil {
		return err
	}
	s.say("alerts: %d of %d payments before, %d of %d since", was.alerts, was.lines, now.alerts-was.alerts, now.lines-was.lines)

	s.title("3. The rule is put right. From checkpoint %d on, what did we decide, and what would we decide now?", before.ID)
	if err := s.load(ctx, goodRules); err != nil {
		return err
	}
	if err := s.audit(ctx, before.ID); err != nil {
		return err
	}

	s.title("4. The job is restarted from checkpoint %d, with the good rule, which is not the one that decided (--allow-skew)", before.ID)
	if err := s.restart(ctx, before.ID); err != nil {
		return err
	}
	// Everything that the bad rule had a say in is decided again, and more.
	if _, err := s.checkpointAfter(ctx, "the new job is further than the old one", func(o *outcome) bool { return o.byLife[2] > o.byLife[1]+rate }); err != nil {
		return err
	}

	s.title("5. Was anything lost, or counted twice?")
	if err := s.stop(ctx); err != nil {
		return err
	}
	return s.judge()
}

func (s *scenario) start(ctx context.Context) error {
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	if s.jar, err = cluster.JobsJar(ctx, root, func(text string) { s.say("%s", text) }); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	var already bool
	s.cluster, already, err = cluster.Up(ctx, cluster.Options{
		Dir: s.Dir, Slots: parallelism, Tied: !s.Keep, AnyPorts: true, Progress: func(text string) { s.say("%s", text) },
		Config: map[string]string{"execution.checkpointing.num-retained": "100"},
	})
	if err != nil {
		return err
	}
	if already {
		return fmt.Errorf("%s: %w; end it with drey dev down --dir %[1]s, or say another --dir", s.Dir, demo.ErrForeign)
	}
	s.flink = flinkrest.New(s.cluster.Flink)
	if err := os.WriteFile(s.rules, []byte(goodRules), 0o644); err != nil {
		return err
	}
	c := s.cluster
	flags := append(c.WatchFlags(),
		"--state-enabled", "--state-store", "s3://"+c.Bucket+"/drey-state", "--state-folder", filepath.Join(s.Dir, "state"),
		"--state-s3-endpoint", c.S3, "--state-s3-path-style", "--state-s3-region", "us-east-1",
		"--decisions-dir", filepath.Join(s.Dir, "decisions"), "--rules-file", s.rules,
		"--replay-enabled", "--replay-dir", filepath.Join(s.Dir, "replays"), "--replay-modes", "audit,job")
	sidecar, err := c.StartSidecar(ctx, s.program, flags...)
	if err != nil {
		return err
	}
	s.server = "http://" + sidecar.HTTP
	s.say("Flink %s, sidecar %s, S3 %s", c.Flink, s.server, c.S3)
	return nil
}

// jobArgs are those of the job in its n-th life.
func (s *scenario) jobArgs(life int) []string {
	return []string{
		"--output-path", "file://" + s.out, "--rate", strconv.Itoa(rate), "--parallelism", strconv.Itoa(parallelism),
		"--life", strconv.Itoa(life), "--drey.sidecar.url", s.server,
	}
}

func (s *scenario) submit(ctx context.Context) error {
	jar, err := s.flink.UploadJar(ctx, s.jar)
	if err != nil {
		return err
	}
	s.job, err = s.flink.RunJar(ctx, jar, flinkrest.Run{
		EntryClass: class, Parallelism: parallelism, Args: s.jobArgs(1),
		Config: jobConfig,
	})
	if err == nil {
		s.say("job %s: %s", s.job, class)
	}
	return err
}

// await asks until it is so.
func await(ctx context.Context, what string, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		ok, err := so()
		if ok {
			return nil
		}
		last = err
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waited for it too long: %s", what), last)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// checkpointAfter waits until enough decisions are committed, and returns the newest checkpoint that has completed then.
func (s *scenario) checkpointAfter(ctx context.Context, what string, enough func(*outcome) bool) (newest flinkrest.Checkpoint, err error) {
	err = await(ctx, what, func() (bool, error) {
		if err := s.cluster.Dead(); err != nil {
			return false, err
		}
		got, err := readOutcome(s.out)
		if err != nil || !enough(got) {
			return false, err
		}
		all, err := s.flink.Checkpoints(ctx, s.job)
		if err != nil || all.Latest.Completed == nil {
			return false, err
		}
		newest = *all.Latest.Completed
		return true, nil
	})
	return newest, err
}

// load replaces the rules, and waits until they are in force.
func (s *scenario) load(ctx context.Context, text string) error {
	version := strings.TrimPrefix(strings.SplitN(text, "\n", 2)[0], "version: ")
	next := s.rules + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o644), os.Rename(next, s.rules)); err != nil {
		return err
	}
	return await(ctx, "the rules are loaded", func() (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server+"/v1/status", nil)
		if err != nil {
			return false, err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err
		}
		defer answer.Body.Close()
		var status struct{ Rules struct{ Version string } }
		err = json.NewDecoder(answer.Body).Decode(&status)
		return strings.HasPrefix(status.Rules.Version, version+"+"), err
	})
}

// drey runs a command of this program as a person would, and shows both.
func (s *scenario) drey(ctx context.Context, args ...string) (output string, exit int, err error) {
	s.say("$ drey %s", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, s.program, args...)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err = cmd.Run()
	for line := range strings.Lines(both.String()) {
		s.say("  %s", strings.TrimRight(line, "\n"))
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return both.String(), ended.ExitCode(), nil
	}
	return both.String(), 0, err
}

// differ is how drey replay says that decisions differ.
const differ = 4

func (s *scenario) audit(ctx context.Context, checkpoint int64) error {
	args := []string{"replay", "start", strconv.FormatInt(checkpoint, 10), "--job", s.job, "--mode", "audit", "--server", s.server, "--watch", "--ignore", "version"}
	if s.Report != "" {
		args = append(args, "--html", s.Report)
	}
	_, exit, err := s.drey(ctx, args...)
	if err != nil {
		return err
	}
	if exit != differ {
		return fmt.Errorf("the audit ended with %d, and should have found differences (%d)", exit, differ)
	}
	s.say("exit %d: decisions differ", exit)
	return nil
}

func (s *scenario) restart(ctx context.Context, checkpoint int64) error {
	args := []string{
		"replay", "start", strconv.FormatInt(checkpoint, 10), "--job", s.job, "--mode", "job", "--server", s.server, "--watch",
		"--flink", s.cluster.Flink, "--jar", s.jar, "--entry-class", class, "--parallelism", strconv.Itoa(parallelism),
		"--allow-skew", // the rules are not those that decided, which is what this is for
	}
	for _, key := range slices.Sorted(maps.Keys(jobConfig)) {
		args = append(args, "-D", key+"="+jobConfig[key])
	}
	output, exit, err := s.drey(ctx, append(append(args, "--"), s.jobArgs(2)...)...)
	if err != nil {
		return err
	}
	if exit != 0 {
		return fmt.Errorf("drey replay ended with %d", exit)
	}
	for line := range strings.Lines(output) {
		if id, found := strings.CutPrefix(line, "new job"); found {
			s.job = strings.TrimSpace(id)
			return nil
		}
	}
	return errors.New("drey replay names no job")
}

// stop ends the job when everything that was sent is decided and committed.
func (s *scenario) stop(ctx context.Context) error {
	if _, err := s.flink.Stop(ctx, s.job, "s3://"+s.cluster.Bucket+"/savepoints", flinkrest.Canonical, true); err != nil {
		return err
	}
	return await(ctx, "the job ends", func() (bool, error) {
		job, err := s.flink.Job(ctx, s.job)
		return job.State.Ended(), err
	})
}

func (s *scenario) judge() error {
	got, err := readOutcome(s.out)
	if err != nil {
		return err
	}
	if err := got.check(); err != nil {
		return err
	}
	s.say("%d payments, %d of them decided again with the good rule; each counted once, the counts of all %d accounts are 1, 2, 3...",
		len(got.last), got.again, got.accounts)
	s.say("alerts: %d, all by the good rule", got.lastAlerts)
	return nil
}
