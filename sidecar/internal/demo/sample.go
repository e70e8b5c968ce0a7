package demo

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/drey-flink/drey/sidecar/functions/flights"
)

// sampleJudged copies n flights, in their order and evenly spaced over the judged months, so that a short demo can be
// judged too: those months are not what the model was fitted on, and all of them are in it.
func sampleJudged(all, path string, n int64) (err error) {
	in, err := os.Open(all)
	if err != nil {
		return err
	}
	defer in.Close()
	lines, err := judgedLines(in, flights.Model().FirstJudgedMonth)
	if err != nil {
		return fmt.Errorf("flights data: %w", err)
	}
	total := int64(len(lines))
	if n > total {
		return fmt.Errorf("--events %d: the judged months have %d flights; say at most that, or leave it out for the whole year", n, total)
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 1<<20)
	for i := range n {
		line := lines[i*total/n]
		if _, err = io.Copy(w, io.NewSectionReader(in, line.from, line.length)); err != nil {
			break
		}
	}
	return errors.Join(err, w.Flush(), out.Close())
}

// span is where a line stands, its newline included.
type span struct{ from, length int64 }

// judgedLines finds the lines of the flights from a month on.
func judgedLines(in io.Reader, first int32) ([]span, error) {
	var found []span
	reader := bufio.NewReaderSize(in, 1<<20)
	for at := int64(0); ; {
		line, err := reader.ReadSlice('\n') // the buffer is far longer than any line
		if errors.Is(err, io.EOF) {
			if len(line) > 0 {
				return nil, fmt.Errorf("at byte %d: a line that does not end; remove the file, and it is made again", at)
			}
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		var row struct {
			Month int32 `json:"month"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			return nil, fmt.Errorf("at byte %d: %w", at, err)
		}
		if row.Month >= first {
			found = append(found, span{at, int64(len(line))})
		}
		at += int64(len(line))
	}
}
