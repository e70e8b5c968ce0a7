package pull

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// journal says which blocks of which files are there. It is one for all files, since each file more on the disk costs more than
// a block. Its lines are of two kinds: a heading, in JSON, begins a file, or begins it anew; and
//
//	FILE BLOCK SUM
//
// is one block: the number of its file's heading, its own, and the CRC-64/NVME of its bytes in hex. Lines are appended and not
// synced: one counts only if the block's bytes agree with it, and what a crash has left behind the last good line does not.
type journal struct {
	file *os.File

	mu   sync.Mutex
	next int                // number of the next heading
	left map[string]*record // what an earlier call has noted, by file name
}

// heading says what the blocks of a file are of. Blocks of another heading are of no use.
type heading struct {
	Version int     `json:"version"`
	File    int     `json:"file"`
	Name    string  `json:"name"`
	URL     string  `json:"url"`
	ETag    string  `json:"etag"`
	Size    int64   `json:"size"` // of the object
	Block   int64   `json:"block"`
	Ranges  []Range `json:"ranges"`
}

// record is what is known of one file.
type record struct {
	heading heading
	blocks  []blockSum // in the order in which they were written; of one block, the last is right
}

type blockSum struct {
	number int
	sum    uint64
}

const journalVersion = 2

// sameAs: blocks of the one are blocks of the other.
func (h heading) sameAs(other heading) bool {
	return h.Version == other.Version && h.Name == other.Name && h.URL == other.URL && h.ETag == other.ETag && h.Size == other.Size &&
		h.Block == other.Block && slices.Equal(h.Ranges, other.Ranges)
}

func openJournal(root *os.Root) (*journal, error) {
	f, err := root.OpenFile(journalName, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	left, next, good, err := readJournal(f)
	if err == nil {
		err = f.Truncate(good) // or what is appended now would lie behind a line that ends all reading
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &journal{file: f, left: left, next: next}, nil
}

// take answers with what an earlier call has noted of a file.
func (j *journal) take(name string) (record, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.left[name]
	if !ok {
		return record{}, false
	}
	delete(j.left, name)
	return *r, true
}

// begin notes a heading, and answers with its number.
func (j *journal) begin(h heading) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock() // until it is written: headings are in order
	h.File = j.next
	line, err := json.Marshal(h)
	if err != nil {
		return 0, err
	}
	j.next++
	_, err = j.file.Write(append(line, '\n'))
	return h.File, err
}

// note notes a block. One write of so few bytes is whole or not there, for all but a crash of the machine.
func (j *journal) note(file int, b blockSum) error {
	_, err := fmt.Fprintf(j.file, "%d %d %016x\n", file, b.number, b.sum)
	return err
}

// maxLine is room for a heading with a few million ranges.
const maxLine = 256 << 20

// readJournal answers with what is noted of each file, with the number of the next heading, and with how many bytes are good.
func readJournal(r io.Reader) (files map[string]*record, next int, good int64, err error) {
	files = map[string]*record{}
	byNumber := map[int]*record{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	lines.Split(wholeLines)
	for lines.Scan() {
		line := lines.Bytes()
		if h, ok := parseHeading(line); ok && h.File >= next {
			files[h.Name] = &record{heading: h}
			byNumber[h.File] = files[h.Name]
			next = h.File + 1
		} else if file, b, ok := parseBlock(line); ok && byNumber[file] != nil {
			byNumber[file].blocks = append(byNumber[file].blocks, b)
		} else {
			break
		}
		good += int64(len(line))
	}
	if err := lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return nil, 0, 0, err
	}
	return files, next, good, nil
}

// wholeLines splits into lines with their ends; what has no end is none.
func wholeLines(data []byte, _ bool) (int, []byte, error) {
	n := bytes.IndexByte(data, '\n') + 1
	if n == 0 {
		return 0, nil, nil
	}
	return n, data[:n], nil
}

func parseHeading(line []byte) (h heading, ok bool) {
	if !bytes.HasPrefix(line, []byte("{")) {
		return h, false
	}
	err := json.Unmarshal(line, &h, jsontext.AllowDuplicateNames(false), json.RejectUnknownMembers(true))
	return h, err == nil && h.Version == journalVersion && h.File >= 0 && h.File < 1<<31
}

func parseBlock(line []byte) (file int, b blockSum, ok bool) {
	n, err := fmt.Sscanf(string(line), "%d %d %016x\n", &file, &b.number, &b.sum)
	return file, b, n == 3 && err == nil && bytes.Equal(line, fmt.Appendf(nil, "%d %d %016x\n", file, b.number, b.sum))
}
