package replaydemo

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// decided is one line of the job.
type decided struct {
	ID        string  `json:"id"`
	AccountID int64   `json:"accountId"`
	Count     int     `json:"count"`
	Amount    float64 `json:"amount"`
	Decision  string  `json:"decision"`
	Life      int     `json:"life"`
}

// outcome is what the job has committed.
type outcome struct {
	lines, alerts int
	last          map[string]decided // by payment: of the last life that decided about it
	again         int                // payments that more than one life decided about
	twice         []string           // payments that a life decided about twice
	accounts      int
	lastAlerts    int
	byLife        map[int]int // the number of the newest payment that a life has decided about
}

// readOutcome reads the committed files of a folder, which need not be there yet.
func readOutcome(folder string) (*outcome, error) {
	o := &outcome{last: map[string]decided{}, byLife: map[int]int{}}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasPrefix(entry.Name(), "part-") {
			return err
		}
		return o.readFile(path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return o, err
}

func (o *outcome) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var d decided
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		number, err := numberOf(d.ID)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		o.byLife[d.Life] = max(o.byLife[d.Life], number)
		o.add(d)
	}
	return lines.Err()
}

// numberOf is the number of a payment in the stream.
func numberOf(id string) (number int, err error) {
	var seed int
	if _, err := fmt.Sscanf(id, "g%d-%d", &seed, &number); err != nil {
		return 0, fmt.Errorf("payment %q: %w", id, err)
	}
	return number, nil
}

func (o *outcome) add(d decided) {
	o.lines++
	if d.Decision == "alert" {
		o.alerts++
	}
	before, seen := o.last[d.ID]
	switch {
	case seen && before.Life == d.Life:
		o.twice = append(o.twice, d.ID)
	case seen:
		o.again++
	}
	if !seen || before.Life < d.Life {
		o.last[d.ID] = d
	}
}

// check compares what counts in the end with what must have happened: every payment from the first to the last one is decided,
// by the good rule, and each account's counts are 1..n.
func (o *outcome) check() error {
	if len(o.twice) > 0 {
		return fmt.Errorf("%d payments were decided twice in one life of the job, the first is %s", len(o.twice), o.twice[0])
	}
	counts := map[int64][]int{}
	numbers := make([]bool, len(o.last))
	for id, d := range o.last {
		counts[d.AccountID] = append(counts[d.AccountID], d.Count)
		number, err := numberOf(id)
		if err != nil {
			return err
		}
		if number >= len(numbers) {
			return fmt.Errorf("payment %s was decided, and only %d were", id, len(numbers))
		}
		numbers[number] = true
		stopped := d.Decision == "alert"
		if stopped {
			o.lastAlerts++
		}
		if should := d.Amount > 300 && d.Count > 2; stopped != should {
			return fmt.Errorf("payment %s of %.2f, number %d of its account: the decision is %s", id, d.Amount, d.Count, d.Decision)
		}
	}
	if missing := slices.Index(numbers, false); missing >= 0 {
		return fmt.Errorf("payment %d was lost", missing)
	}
	for account, all := range counts {
		slices.Sort(all)
		for i, n := range all {
			if n != i+1 {
				return fmt.Errorf("account %d: instead of %d comes %d", account, i+1, n)
			}
		}
	}
	o.accounts = len(counts)
	return nil
}
