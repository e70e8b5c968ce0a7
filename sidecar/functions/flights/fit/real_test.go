//go:build !race

// The fit of the real data takes 20 s, and minutes under the race detector, which TestFit satisfies.

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/drey-flink/drey/sidecar/functions/flights/dataset"
)

// TestFileIsReproduced makes coefficients.json again from the real data and compares it byte by byte with the committed
// one, its judged numbers included. Last digits may differ on processors whose Go compiler fuses multiply and add.
func TestFileIsReproduced(t *testing.T) {
	folder := os.Getenv("DREY_FLIGHTS_DATA")
	if folder == "" {
		t.Skip("needs the real records, a download of 9 MB; scripts/test demo fit prepares them and sets DREY_FLIGHTS_DATA")
	}
	all, err := load(filepath.Join(folder, dataset.FileName))
	if err != nil {
		t.Fatal(err)
	}
	file, err := fit(t.Context(), all, candidates(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	got, err := encode(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "coefficients.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("coefficients.json is not what the program makes of the data; go run ./sidecar/functions/flights/fit, " +
			"then go test ./sidecar/functions/flights -update")
	}
}
