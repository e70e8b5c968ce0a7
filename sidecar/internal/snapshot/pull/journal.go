package pull

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The journal of a file says which of its blocks are there. It is a line of JSON, the heading, and behind that a record of 8
// bytes per block: its number and the CRC32C of its bytes, both as big-endian uint32. It is appended to and not synced: a
// record counts only if the block's bytes agree with it.
const recordSize = 8

// heading says what the blocks are of. Blocks of another heading are of no use.
type heading struct {
	Version int     `json:"version"`
	URL     string  `json:"url"`
	ETag    string  `json:"etag"`
	Size    int64   `json:"size"` // of the object
	Block   int64   `json:"block"`
	Ranges  []Range `json:"ranges"`
}

const journalVersion = 1

func (h heading) equal(other heading) bool {
	return h.Version == other.Version && h.URL == other.URL && h.ETag == other.ETag && h.Size == other.Size && h.Block == other.Block &&
		slices.Equal(h.Ranges, other.Ranges)
}

func (h heading) write(w io.Writer) error {
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// maxHeading is room for a heading with a few million ranges.
const maxHeading = 256 << 20

// readJournal answers with the heading and the checksum of each block that has one: the last, if there are several. What a
// crash left of a record at the end is left out.
func readJournal(r io.Reader) (heading, map[uint32]uint32, error) {
	buffered := bufio.NewReader(r)
	var line []byte
	for {
		piece, err := buffered.ReadSlice('\n')
		line = append(line, piece...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) || len(line) > maxHeading {
			return heading{}, nil, fmt.Errorf("the journal has no heading: %w", err)
		}
	}
	var h heading
	if err := json.Unmarshal(bytes.TrimSuffix(line, []byte("\n")), &h, jsontext.AllowDuplicateNames(false), json.RejectUnknownMembers(true)); err != nil {
		return heading{}, nil, fmt.Errorf("the journal's heading: %w", err)
	}
	sums := map[uint32]uint32{}
	var record [recordSize]byte
	for {
		if _, err := io.ReadFull(buffered, record[:]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return h, sums, nil
			}
			return heading{}, nil, err
		}
		sums[binary.BigEndian.Uint32(record[:])] = binary.BigEndian.Uint32(record[4:])
	}
}

// note appends one record. One write of so few bytes is whole or not there, for all but a crash of the machine.
func note(journal *os.File, number int, sum uint32) error {
	record := binary.BigEndian.AppendUint32(nil, uint32(number)) //nolint:gosec // a block has 1 MiB
	_, err := journal.Write(binary.BigEndian.AppendUint32(record, sum))
	return err
}
