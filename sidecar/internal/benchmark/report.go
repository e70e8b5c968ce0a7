package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a benchmark measured, in the form that all benchmarks of the project share.
type Report struct {
	Machine string `json:"machine"`
	Date    string `json:"date"`
	Cases   []Case `json:"cases"`
	// Missing says what could not be measured here, and why. It does not count as reached.
	Missing []string `json:"missing,omitempty"`

	quick bool // asked for; benchmarks that take minutes heed it
}

// Case is one comparison of one run. Ratio is ours against theirs such that larger is better; the goal is a ratio too, 0
// if there is none.
type Case struct {
	Case    string  `json:"case"`
	Against string  `json:"against"`
	Ours    float64 `json:"ours"`
	Theirs  float64 `json:"theirs"`
	Unit    string  `json:"unit"`
	Ratio   float64 `json:"ratio"`
	Goal    float64 `json:"goal"`
	Note    string  `json:"note,omitempty"`
}

func newReport() *Report {
	return &Report{Machine: machine(), Date: time.Now().UTC().Format("2006-01-02")}
}

func machine() string {
	cpu := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores of %s, %s/%s, %s", runtime.NumCPU(), cpu, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// more is a case in which more is better.
func (r *Report) more(c Case) {
	c.Ratio = c.Ours / c.Theirs
	r.Cases = append(r.Cases, c)
}

// less is a case in which less is better.
func (r *Report) less(c Case) {
	c.Ratio = c.Theirs / c.Ours
	r.Cases = append(r.Cases, c)
}

// missed is how many cases did not reach their goal.
func (r *Report) missed() (n int) {
	for _, c := range r.Cases {
		if c.Ratio < c.Goal {
			n++
		}
	}
	return n
}

// goals is how many cases have one.
func (r *Report) goals() (n int) {
	for _, c := range r.Cases {
		if c.Goal > 0 {
			n++
		}
	}
	return n
}

func (r *Report) table(w io.Writer) {
	fmt.Fprintf(w, "%s, %s\n", r.Machine, r.Date)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\tours\tagainst\ttheirs\tunit\tratio\tgoal\t")
	for _, c := range r.Cases {
		verdict := "ok"
		switch {
		case c.Goal == 0:
			verdict = "no goal"
		case c.Ratio < c.Goal:
			verdict = "MISSED"
		}
		fmt.Fprintf(t, "%s\t%.6g\t%s\t%.6g\t%s\t%.2f\t%.2f\t%s\n", c.Case, c.Ours, c.Against, c.Theirs, c.Unit, c.Ratio, c.Goal, verdict)
	}
	t.Flush()
	for _, c := range r.Cases {
		if c.Note != "" {
			fmt.Fprintf(w, "%s (%s): %s\n", c.Case, c.Against, c.Note)
		}
	}
	for _, missing := range r.Missing {
		fmt.Fprintln(w, "MISSING", missing)
	}
}

func (r *Report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
