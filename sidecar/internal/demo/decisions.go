package demo

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// decision is what the demo reads of a line that a job wrote.
type decision struct {
	ID        string   `json:"id"`
	Score     *float64 `json:"score"`
	Decision  string   `json:"decision"`
	Reasons   []string `json:"reasons"`
	Label     *bool    `json:"label"`
	LatencyUS float64  `json:"latency_us"`
}

// decisions are the committed output of a job. A committed file never changes, so each is read once.
type decisions struct {
	dir        string
	seen       map[string]bool
	byID       map[string]decision
	lines      int64
	duplicates []string
	failed     int64
	firstError string
}

func newDecisions(dir string) *decisions {
	return &decisions{dir: dir, seen: map[string]bool{}, byID: map[string]decision{}}
}

func (d *decisions) total() int64 { return d.lines + d.failed }

// verdict is what Go said of a record, as text: equal texts are equal decisions, to the last bit of the score.
func (d decision) verdict() string {
	score := "null"
	if d.Score != nil {
		score = strconv.FormatFloat(*d.Score, 'g', -1, 64)
	}
	return fmt.Sprintf("%s %q %q", score, d.Decision, d.Reasons)
}

// digest is equal for equal decisions about the same records, whatever their order.
func (d *decisions) digest() string {
	hash := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(d.byID)) {
		fmt.Fprintf(hash, "%s %s\n", id, d.byID[id].verdict())
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// read takes in the files that were committed since the last time.
func (d *decisions) read() error {
	if err := d.folder(d.dir, d.addDecision); err != nil {
		return err
	}
	return d.folder(filepath.Join(d.dir, "errors"), d.addError)
}

// folder reads the new committed files of one folder; those of a checkpoint that is not complete begin with a dot.
func (d *decisions) folder(dir string, add func([]byte) error) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") || d.seen[path] {
			continue
		}
		d.seen[path] = true
		if err := lines(path, add); err != nil {
			return err
		}
	}
	return nil
}

func lines(path string, add func([]byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, 64<<10), 4<<20)
	for n := 1; scanner.Scan(); n++ {
		if err := add(scanner.Bytes()); err != nil {
			return &fs.PathError{Op: fmt.Sprintf("line %d of", n), Path: path, Err: err}
		}
	}
	return scanner.Err()
}

func (d *decisions) addDecision(line []byte) error {
	var one decision
	if err := json.Unmarshal(line, &one); err != nil {
		return err
	}
	d.lines++
	if _, twice := d.byID[one.ID]; twice {
		d.duplicates = append(d.duplicates, one.ID)
	}
	d.byID[one.ID] = one
	return nil
}

func (d *decisions) addError(line []byte) error {
	var failed struct{ ID, Code, Error string }
	if err := json.Unmarshal(line, &failed); err != nil {
		return err
	}
	if d.failed++; d.failed == 1 {
		d.firstError = fmt.Sprintf("%s: %s: %s", failed.ID, failed.Code, failed.Error)
	}
	return nil
}
