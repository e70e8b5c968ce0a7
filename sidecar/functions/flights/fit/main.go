// Command fit makes coefficients.json of the function flights from the departures of 2013, and prints how well the
// model does on the months it has not seen:
//
//	go run ./sidecar/functions/flights/fit --data .drey/data
//
// It prepares the data first if they are not there (package dataset). The same data give the same file, byte for byte.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/drey-flink/drey/sidecar/functions/flights"
	"github.com/drey-flink/drey/sidecar/functions/flights/dataset"
)

func main() {
	data := flag.String("data", filepath.Join(".drey", "data"), "folder of the prepared data; filled if it is empty")
	out := flag.String("out", filepath.Join("sidecar", "functions", "flights", "coefficients.json"), "file to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *data, *out, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fit:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, data, out string, to io.Writer) error {
	progress := func(step string) { fmt.Fprintln(to, step) }
	path, err := dataset.Prepare(ctx, data, progress)
	if err != nil {
		return err
	}
	all, err := load(path)
	if err != nil {
		return err
	}
	file, err := fit(ctx, all, candidates(), progress)
	if err != nil {
		return err
	}
	text, err := encode(file)
	if err != nil {
		return err
	}
	if err := write(out, text); err != nil {
		return err
	}
	report(to, file)
	fmt.Fprintln(to, "written to", out)
	return nil
}

// encode writes maps in the order of their keys, so that the file's bytes depend on its content only.
func encode(file *flights.File) ([]byte, error) {
	var text bytes.Buffer
	if err := json.MarshalWrite(&text, file, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return nil, fmt.Errorf("encode coefficients: %w", err)
	}
	text.WriteByte('\n')
	return text.Bytes(), nil
}

// write replaces the file at once: a build that embeds it never sees half of it.
func write(path string, text []byte) error {
	temp := path + ".tmp"
	if err := os.WriteFile(temp, text, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

func report(to io.Writer, file *flights.File) {
	judged := file.Provenance.Judged
	fmt.Fprintf(to, "\njudged on months %v (%d flights), fitted on months %v (%d flights)\n",
		file.Provenance.JudgedMonths, judged.Rows, file.Provenance.FittedMonths, file.Provenance.FittedRows)
	fmt.Fprintf(to, "base rate %.3f: that share arrived %d or more minutes late\n\n", judged.BaseRate, flights.Late)
	fmt.Fprintf(to, "%-22s %9s %9s %9s %9s %9s\n", "", "threshold", "flagged", "precision", "recall", "AUC")
	for _, row := range []struct {
		name string
		m    flights.Metrics
	}{{"model, alert", judged.Model}, {"baseline, alert", judged.Baseline}, {"model, review or alert", judged.Review}} {
		fmt.Fprintf(to, "%-22s %9.3f %9.3f %9.3f %9.3f %9.3f\n",
			row.name, row.m.Threshold, row.m.FlagRate, row.m.Precision, row.m.Recall, row.m.AUC)
	}
	fmt.Fprintf(to, "\n%-6s %8s %10s %10s %13s\n", "month", "flights", "base rate", "model AUC", "baseline AUC")
	for _, m := range file.Provenance.ByMonth {
		fmt.Fprintf(to, "%-6d %8d %10.3f %10.3f %13.3f\n", m.Month, m.Rows, m.BaseRate, m.Model, m.Baseline)
	}
	fmt.Fprintln(to)
}
