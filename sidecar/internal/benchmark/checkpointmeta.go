package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// contents is what a _metadata file has in it, by whoever has read it.
type contents struct {
	Operators  int   `json:"operators"`
	Subtasks   int   `json:"subtasks"`
	StateBytes int64 `json:"state_bytes"`
}

// flinkSaid is a line of the Java side, MetadataBench.
type flinkSaid struct {
	Case string `json:"case"`
	File string `json:"file"`
	contents
	Loads   int     `json:"loads"`
	Seconds float64 `json:"seconds"`
}

// metadataCase is a file that Flink has written, and what was measured of it round by round.
type metadataCase struct {
	name   string
	data   []byte
	flink  contents
	ours   []float64 // MB/s
	theirs []float64
	allocs []float64 // a parse
}

// metadataCases describes the cases of the Java side's MetadataCase.
var metadataCases = map[string]string{
	"files":       "state inline and in files",
	"incremental": "incremental RocksDB state",
}

// benchMetadata compares package metadata with Flink's own reader, in a JVM that stays up and warm. Both read from memory.
func benchMetadata(ctx context.Context, r *Report, root, dir string, sizes checkpointSizes) error {
	flink, err := startFlinkReader(ctx, root, dir)
	if err != nil {
		return err
	}
	defer flink.end()
	cases := make([]*metadataCase, 0, len(metadataCases))
	for range metadataCases {
		c, err := flink.written(ctx)
		if err != nil {
			return err
		}
		cases = append(cases, c)
	}
	for round := range sizes.rounds + 1 {
		for _, c := range cases {
			say("round %d of %d: _metadata, %s", round, sizes.rounds, c.name)
			seconds := sizes.seconds
			if round == 0 {
				seconds *= 4 // until the JVM has compiled it
			}
			theirs, err := flink.read(ctx, c, seconds)
			if err != nil {
				return err
			}
			ours, allocs, err := parseFor(ctx, c, seconds)
			if err != nil {
				return err
			}
			if round > 0 {
				c.theirs, c.ours, c.allocs = append(c.theirs, theirs), append(c.ours, ours), append(c.allocs, allocs)
			}
		}
	}
	for _, c := range cases {
		c.report(r)
	}
	return nil
}

func (c *metadataCase) report(r *Report) {
	var ratios []float64
	for i := range c.ours {
		ratios = append(ratios, c.ours[i]/c.theirs[i])
	}
	name := fmt.Sprintf("_metadata, %d handles, %s", c.flink.Subtasks, metadataCases[c.name])
	r.Cases = append(r.Cases, Case{
		Case: name, Against: "Flink's loadCheckpointMetadata", Unit: "MB/s", Goal: 1,
		Ours: median(c.ours), Theirs: median(c.theirs), Ratio: median(ratios),
		Note: fmt.Sprintf("%.1f MB, median of %d rounds in turn, both from memory, the JVM warm", float64(len(c.data))/1e6, len(c.ours)),
	})
	r.more(Case{Case: name, Against: "goal", Ours: median(c.ours), Theirs: 200, Unit: "MB/s", Goal: 1})
	r.less(Case{
		Case: name + ", allocations", Against: "handles", Ours: quantile(c.allocs, 1), Theirs: float64(c.flink.Subtasks),
		Unit: "a parse", Goal: 1,
	})
}

// parseFor parses a file again and again; allocs is of one parse.
func parseFor(ctx context.Context, c *metadataCase, seconds float64) (perSecond, allocs float64, err error) {
	parsed, err := metadata.Parse(c.data)
	if err != nil {
		return 0, 0, err
	}
	got, err := contentsOf(parsed)
	if err != nil {
		return 0, 0, err
	}
	if got != c.flink {
		return 0, 0, fmt.Errorf("%s: drey finds %+v, Flink %+v", c.name, got, c.flink)
	}
	runtime.GC() // what was before is not to be paid for now
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin, n := time.Now(), 0
	for ; time.Since(begin).Seconds() < seconds && ctx.Err() == nil; n++ {
		if parsed, err = metadata.Parse(c.data); err != nil {
			return 0, 0, err
		}
	}
	elapsed := time.Since(begin)
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(parsed)
	return megabytes(len(c.data), n, elapsed.Seconds()), float64(after.Mallocs-before.Mallocs) / float64(n), ctx.Err()
}

func megabytes(size, times int, seconds float64) float64 {
	return float64(size) * float64(times) / seconds / 1e6
}

func contentsOf(m *metadata.Metadata) (contents, error) {
	described, err := metadata.Describe(m, metadata.Location{Scheme: "s3", Authority: "flink", Path: "/chk-42"})
	if err != nil {
		return contents{}, err
	}
	c := contents{Operators: len(described.Operators), StateBytes: described.TotalSize}
	for _, o := range described.Operators {
		c.Subtasks += len(o.Subtasks)
	}
	return c, nil
}

// flinkReader is a JVM with MetadataBench.
type flinkReader struct{ *asked }

func startFlinkReader(ctx context.Context, root, dir string) (*flinkReader, error) {
	progress := func(what string) { say("%s", what) }
	home, err := cluster.Home(ctx, root, progress)
	if err != nil {
		return nil, err
	}
	jobs, err := cluster.JobsJar(ctx, root, progress)
	if err != nil {
		return nil, err
	}
	classes := []string{jobs, filepath.Join(home, "lib") + "/*"}
	files := filepath.Join(dir, "metadata")
	if err := os.Mkdir(files, 0o700); err != nil {
		return nil, err
	}
	args := append(cluster.JavaModuleFlags(), "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-Djava.io.tmpdir="+files,
		"-cp", strings.Join(classes, string(os.PathListSeparator)), "dev.drey.flink.jobs.bench.MetadataBench", files)
	java, err := ask(dir, exec.CommandContext(ctx, "java", args...))
	if err != nil {
		return nil, err
	}
	return &flinkReader{java}, nil
}

// written waits for the next file that Flink has written.
func (f *flinkReader) written(ctx context.Context) (*metadataCase, error) {
	said, err := f.said(ctx)
	if err != nil {
		return nil, err
	}
	if metadataCases[said.Case] == "" {
		return nil, fmt.Errorf("MetadataBench has written a case %q, which is not known here", said.Case)
	}
	data, err := os.ReadFile(said.File)
	return &metadataCase{name: said.Case, data: data, flink: said.contents}, err
}

// read has Flink read a file for some time, and answers with MB/s.
func (f *flinkReader) read(ctx context.Context, c *metadataCase, seconds float64) (float64, error) {
	if _, err := fmt.Fprintf(f.in, "%s %g\n", c.name, seconds); err != nil {
		<-f.ended
		return 0, f.died()
	}
	said, err := f.said(ctx)
	if err != nil {
		return 0, err
	}
	if said.Case != c.name || said.contents != c.flink || said.Loads == 0 {
		return 0, fmt.Errorf("%s: Flink has written %+v and read %+v", c.name, c.flink, said)
	}
	return megabytes(len(c.data), said.Loads, said.Seconds), nil
}

func (f *flinkReader) said(ctx context.Context) (said flinkSaid, err error) {
	line, err := f.answer(ctx)
	if err != nil {
		return said, err
	}
	if err := json.Unmarshal(line, &said); err != nil {
		return said, fmt.Errorf("MetadataBench said %q: %w", line, err)
	}
	return said, nil
}
