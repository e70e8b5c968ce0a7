package wal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	version      = 1
	headerBytes  = 24
	recordHeader = 12
	// MaxRecord is the longest body.
	MaxRecord = 1 << 30
)

var magic = [8]byte{'d', 'r', 'e', 'y', 'w', 'l', 'o', 'g'}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged: the log is not what was written. It cannot be used; a state that it was to bring back has to come from
// elsewhere.
var ErrDamaged = errors.New("the log is damaged")

func header(generation uint64) []byte {
	data := append([]byte(nil), magic[:]...)
	data = binary.LittleEndian.AppendUint16(data, version)
	data = append(data, 0, 0)
	data = binary.LittleEndian.AppendUint64(data, generation)
	return binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
}

func appendRecord(dst, body []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(body))) //nolint:gosec // at most MaxRecord
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(body, castagnoli))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	return append(dst, body...)
}

// readFile gives the records of a file to visit, and returns where the last whole one ends. whole is false if something
// unfinished is behind it.
func readFile(r io.Reader, size int64, generation uint64, visit func(record []byte) error) (end int64, whole bool, err error) {
	in := bufio.NewReaderSize(r, 1<<18)
	head := make([]byte, headerBytes)
	if size < headerBytes {
		return 0, false, nil
	}
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, false, err
	}
	if bytes.Equal(head[:8], magic[:]) && binary.LittleEndian.Uint16(head[8:]) != version {
		return 0, false, fmt.Errorf("version %d, this program reads %d: use one that reads it", binary.LittleEndian.Uint16(head[8:]), version)
	}
	if !bytes.Equal(head, header(generation)) {
		return 0, false, fmt.Errorf("its header is not that of generation %d: %w", generation, ErrDamaged)
	}
	end = headerBytes
	for {
		left := size - end
		if left < recordHeader {
			return end, left == 0, nil
		}
		if _, err := io.ReadFull(in, head[:recordHeader]); err != nil {
			return end, false, err
		}
		if binary.LittleEndian.Uint32(head[8:]) != crc32.Checksum(head[:8], castagnoli) {
			return end, false, fmt.Errorf("the header of the record at %d: %w", end, ErrDamaged)
		}
		length := int64(binary.LittleEndian.Uint32(head))
		if length > MaxRecord {
			return end, false, fmt.Errorf("a record of %d bytes at %d: %w", length, end, ErrDamaged)
		}
		if length > left-recordHeader {
			return end, false, nil
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return end, false, err
		}
		if binary.LittleEndian.Uint32(head[4:]) != crc32.Checksum(body, castagnoli) {
			return end, false, fmt.Errorf("the checksum of the record at %d: %w", end, ErrDamaged)
		}
		if err := visit(body); err != nil {
			return end, false, err
		}
		end += recordHeader + length
	}
}

// End is where a log ends.
type End struct {
	Generation uint64 // 0: there is no file
	offset     int64
}

// Read gives all records of the log in a folder to visit, in order, each with the generation of its file. The bytes of a record
// are the visitor's. A record at the very end that was not finished is left out. Files that are no part of a log are ignored.
func Read(folder string, visit func(generation uint64, record []byte) error) (End, error) {
	generations, err := list(folder)
	if err != nil {
		return End{}, err
	}
	var end End
	for i, generation := range generations {
		name := filepath.Join(folder, fileName(generation))
		if i > 0 && generation != generations[i-1]+1 {
			return End{}, fmt.Errorf("%s follows generation %d: %w", name, generations[i-1], ErrDamaged)
		}
		at, whole, err := readNamed(name, generation, func(record []byte) error { return visit(generation, record) })
		if err != nil {
			return End{}, fmt.Errorf("%s: %w", name, err)
		}
		if !whole && i < len(generations)-1 {
			return End{}, fmt.Errorf("%s ends in the middle of a record, although it is not the last: %w", name, ErrDamaged)
		}
		end = End{generation, at}
	}
	return end, nil
}

func readNamed(name string, generation uint64, visit func([]byte) error) (end int64, whole bool, err error) {
	f, err := os.Open(name) //nolint:gosec // the folder is the caller's
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, false, err
	}
	return readFile(f, info.Size(), generation, visit)
}

const ending = ".wal"

func fileName(generation uint64) string { return fmt.Sprintf("%020d", generation) + ending }

func list(folder string) ([]uint64, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var generations []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), ending)
		if !ok || len(digits) != 20 {
			continue
		}
		if generation, err := strconv.ParseUint(digits, 10, 64); err == nil && generation > 0 {
			generations = append(generations, generation)
		}
	}
	slices.Sort(generations)
	return generations, nil
}
