package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Modes in which the function of a query is written and run.
const (
	modeJava         = "java"
	modeJavaInternal = "java-internal" // on Flink's internal rows: what few users write
	modeGo           = "go"
	modeBare         = "bare"   // JNI, C and Go, and nothing that makes it safe: the limit of any bridge
	modeThread       = "thread" // PyFlink, in the JVM
	modeProcess      = "process"
)

// udfQuery is one query that is run in each of its modes, in turn, round by round.
type udfQuery struct {
	name  string
	kind  string // of the Java side's UdfCase
	size  int    // of the strings or the JSON, bytes
	rows  int    // of a whole job
	goal  float64
	modes []string
}

// The goals against Java are of whole jobs on a cluster that has just been started: so was measured what they were taken from,
// where a row of BIGINT cost Java 440 ns. In the steady state that row costs Java 50 ns, and a call into Go 70 more: the
// report has both.
var udfQueries = []udfQuery{
	{name: "SQL BIGINT -> BIGINT", kind: "bigint", rows: 10_000_000, goal: 0.85, modes: []string{modeJava, modeGo, modeBare, modeThread, modeProcess}},
	{name: "SQL two strings -> string, 100 B", kind: "strings", size: 100, rows: 10_000_000, goal: 0.75, modes: []string{modeJava, modeGo}},
	{name: "SQL processJson, 100 B", kind: "json", size: 100, rows: 3_000_000, goal: 1, modes: []string{modeJava, modeGo, modeThread, modeProcess}},
	{name: "SQL processJson, 1 kB", kind: "json", size: 1_000, rows: 1_000_000, goal: 1, modes: []string{modeJava, modeGo, modeThread, modeProcess}},
	{name: "SQL processJson, 10 kB", kind: "json", size: 10_000, rows: 150_000, goal: 1, modes: []string{modeJava, modeGo, modeThread, modeProcess}},
	{name: "SQL ROW of 6 -> ROW of 4", kind: "row", rows: 10_000_000, goal: 0.8, modes: []string{modeJava, modeJavaInternal, modeGo}},
}

// udfGoal is what Go must reach against Python, in the steady state: of a whole job, Python's start would count for Go.
type udfGoal struct {
	query, mode string
	goal        float64
}

var udfGoals = []udfGoal{
	{"SQL BIGINT -> BIGINT", modeThread, 4},
	{"SQL BIGINT -> BIGINT", modeProcess, 15},
	{"SQL processJson, 100 B", modeThread, 3},
}

var modeNames = map[string]string{
	modeJava: "Java", modeJavaInternal: "Java on internal rows", modeBare: "JNI, C and Go alone", modeThread: "PyFlink, thread mode", modeProcess: "PyFlink, process mode",
}

// reading is what one run of a query gave in the steady state.
type reading struct {
	RowsPerS  float64 `json:"rows_per_s"`
	CPUMicros float64 `json:"cpu_us_per_row"`
}

// measured is what the runs of a query in one mode gave, round by round.
type measured struct {
	steady []reading
	jobs   []float64 // whole jobs, rows/s
}

// benchUDF compares Go in the TaskManager with Java and with PyFlink.
func benchUDF(ctx context.Context, r *Report) error {
	dir, err := os.MkdirTemp("", "drey-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	runs, err := newUDFRuns(ctx, dir, r.quick)
	if err != nil {
		return err
	}
	if runs.python == nil {
		r.Missing = append(r.Missing, fmt.Sprintf("PyFlink: not measured, and its goals not reached: %v", runs.noPython))
		fmt.Fprintln(os.Stderr, r.Missing[0])
	}
	all := map[string]*measured{} // by query and mode
	for round := range max(runs.rounds, runs.jobRounds) {
		for _, query := range udfQueries {
			for _, mode := range query.modes {
				if runs.python == nil && isPython(mode) {
					continue
				}
				m := all[query.name+mode]
				if m == nil {
					m = &measured{}
					all[query.name+mode] = m
				}
				if err := runs.round(ctx, round, query, mode, m); err != nil {
					return fmt.Errorf("%s, %s: %w", query.name, mode, err)
				}
			}
		}
	}
	for _, query := range udfQueries {
		compare(r, query, all)
	}
	return runs.micro(ctx, r)
}

func isPython(mode string) bool { return mode == modeThread || mode == modeProcess }

// compare adds the cases of one query: the median of the ratios of each round.
func compare(r *Report, query udfQuery, all map[string]*measured) {
	ours := all[query.name+modeGo]
	for _, mode := range query.modes {
		theirs := all[query.name+mode]
		if mode == modeGo || theirs == nil {
			continue
		}
		if len(theirs.jobs) > 0 {
			c := paired(ours.jobs, theirs.jobs)
			c.Case, c.Against, c.Unit = query.name+", whole job", modeNames[mode], "rows/s"
			c.Note = fmt.Sprintf("the first job, of %d rows, of a cluster that has just been started", query.rows)
			if mode == modeJava {
				c.Goal = query.goal
			}
			r.Cases = append(r.Cases, c)
		}
		if len(theirs.steady) == 0 {
			continue
		}
		c := paired(each(ours.steady, reading.rows), each(theirs.steady, reading.rows))
		c.Case, c.Against, c.Unit = query.name+", steady", modeNames[mode], "rows/s"
		for _, g := range udfGoals {
			if g.query == query.name && g.mode == mode {
				c.Goal = g.goal
			}
		}
		r.Cases = append(r.Cases, c)
		// The same of processor time: less is better, so the ratio is the other way round.
		c = paired(each(theirs.steady, reading.micros), each(ours.steady, reading.micros))
		c.Ours, c.Theirs = c.Theirs, c.Ours
		c.Case, c.Against, c.Unit = query.name+", steady, processor time of a row", modeNames[mode], "us"
		r.Cases = append(r.Cases, c)
	}
}

func (r reading) rows() float64   { return r.RowsPerS }
func (r reading) micros() float64 { return r.CPUMicros }

func each(all []reading, of func(reading) float64) (values []float64) {
	for _, one := range all {
		values = append(values, of(one))
	}
	return values
}

func paired(ours, theirs []float64) Case {
	var ratios []float64
	for i := range ours {
		ratios = append(ratios, ours[i]/theirs[i])
	}
	return Case{Ours: median(ours), Theirs: median(theirs), Ratio: median(ratios)}
}

// round measures a query in the ways that its mode has and the round asks for.
func (u *udfRuns) round(ctx context.Context, round int, query udfQuery, mode string, m *measured) error {
	if round < u.rounds && mode != modeBare {
		fmt.Fprintf(os.Stderr, "round %d of %d: %s, %s\n", round+1, u.rounds, query.name, mode)
		check := 0
		if round == 0 {
			check = 500
		}
		got, err := u.steady(ctx, query, mode, check)
		if err != nil {
			return err
		}
		m.steady = append(m.steady, got)
	}
	if round < u.jobRounds && (mode == modeJava || mode == modeGo || mode == modeBare) {
		fmt.Fprintf(os.Stderr, "round %d of %d: %s, %s, whole job\n", round+1, u.jobRounds, query.name, mode)
		rate, err := u.wholeJob(ctx, query, mode)
		if err != nil {
			return err
		}
		m.jobs = append(m.jobs, rate)
	}
	return nil
}

// steady runs a query in a fresh JVM, and afterwards compares some rows with what Go makes of them: a function that does
// something else is no measure.
func (u *udfRuns) steady(ctx context.Context, query udfQuery, mode string, check int) (reading, error) {
	args := []string{
		"--case", query.kind, "--mode", mode, "--size", strconv.Itoa(query.size),
		"--warmup", fmt.Sprint(u.warmup), "--seconds", fmt.Sprint(u.seconds),
		"--check", strconv.Itoa(check),
	}
	classes := []string{u.jobs, u.jar, filepath.Join(u.home, "lib") + "/*"}
	var environ []string
	if isPython(mode) {
		args = append(args, "--python", u.python.python)
		classes = append(classes, u.python.flink)
		environ = []string{"PYTHONPATH=" + u.python.path, "PYTHONDONTWRITEBYTECODE=1"}
	}
	var got reading
	return got, u.java(ctx, classes, environ, "dev.drey.flink.jobs.bench.UdfBench", args, &got)
}

// micro calls the generated classes without Flink around them.
func (u *udfRuns) micro(ctx context.Context, r *Report) error {
	var firsts, primitives, rows []float64
	for range u.rounds {
		var got struct {
			FirstRow  float64 `json:"first_row_ms"`
			Primitive float64 `json:"primitive_ns"`
			Row       float64 `json:"row_ns"`
		}
		classes := []string{u.jobs, u.jar, filepath.Join(u.home, "lib") + "/*"}
		if err := u.java(ctx, classes, nil, "dev.drey.flink.jobs.bench.UdfMicro", nil, &got); err != nil {
			return err
		}
		firsts, primitives, rows = append(firsts, got.FirstRow), append(primitives, got.Primitive), append(rows, got.Row)
	}
	r.less(Case{Case: "a call, BIGINT -> BIGINT", Against: "goal", Ours: median(primitives), Theirs: 80, Unit: "ns", Goal: 1})
	r.less(Case{Case: "a call, ROW of 6 -> ROW of 4", Against: "goal", Ours: median(rows), Theirs: 300, Unit: "ns", Goal: 1})
	r.less(Case{
		Case: "first row after open", Against: "goal", Ours: median(firsts), Theirs: 150, Unit: "ms", Goal: 1,
		Note: "in a fresh JVM with an empty temporary folder: the library is unpacked, loaded and started",
	})
	return nil
}
