package segment

import (
	"bytes"
	"errors"
	"io"
)

// Scanner reads a segment's blocks one after the other. At the end of an open segment Next may be called again later: it then
// goes on with what was written since. It is not safe for concurrent use.
type Scanner struct {
	src    io.ReaderAt
	codec  Codec
	dec    *decoders
	next   int64 // offset of the block that Next reads
	limit  int64 // where blocks end; 0 = with the file
	window []byte
	at     int64 // offset of the window
	borrow bool  // blocks live until the next one only
}

// Borrow makes the blocks that Next returns live only until it is called again, which spares a copy of each.
func (s *Scanner) Borrow() *Scanner {
	s.borrow = true
	return s
}

// windowSize is how much is read at once. Blocks of an open segment are small when little is going on.
const windowSize = 256 << 10

// Offset is where the next block begins: after the last one that Next returned.
func (s *Scanner) Offset() int64 { return s.next }

// Skip goes to the block at an offset.
func (s *Scanner) Skip(to int64) { s.next = to }

// Next returns the next block, or io.EOF after the last one, or ErrUnfinished if bytes follow that are no whole block, or
// ErrDamaged if after these another block stands, which Resync goes to.
func (s *Scanner) Next() (Block, error) {
	b, size, err := s.read(s.next)
	switch {
	case err == nil:
		b.Offset, s.next = s.next, s.next+size
		if !s.borrow && s.codec == None {
			b.payload = bytes.Clone(b.payload)
		}
		return b, nil
	case errors.Is(err, ErrUnfinished), errors.Is(err, ErrDamaged):
		s.window = s.window[:0] // what is being written looks different the next time
		if _, more, findErr := s.following(s.next); findErr != nil {
			return Block{}, findErr
		} else if !more && s.limit == 0 {
			return Block{}, ErrUnfinished
		}
		if errors.Is(err, ErrUnfinished) {
			err = damaged("a block that does not end")
		}
	}
	s.window = s.window[:0]
	return Block{}, err
}

// read parses the block at an offset; size is how many bytes it takes.
func (s *Scanner) read(at int64) (Block, int64, error) {
	head, err := s.bytes(at, blockHeaderSize)
	if err != nil {
		return Block{}, 0, err
	}
	if len(head) == 0 {
		return Block{}, 0, io.EOF
	}
	h, err := parseBlockHeader(head)
	if err != nil {
		return Block{}, 0, err
	}
	stored, err := s.bytes(at+blockHeaderSize, h.stored)
	if err != nil {
		return Block{}, 0, err
	}
	if len(stored) < h.stored {
		return Block{}, 0, ErrUnfinished
	}
	b, err := parseBlock(h, stored, s.codec, s.dec)
	return b, blockHeaderSize + int64(h.stored), err
}

// bytes returns n bytes, or fewer at the end. They live until the next call.
func (s *Scanner) bytes(at int64, n int) ([]byte, error) {
	if s.limit > 0 {
		n = int(max(0, min(int64(n), s.limit-at)))
	}
	if from := at - s.at; from >= 0 && from+int64(n) <= int64(len(s.window)) {
		return s.window[from : from+int64(n)], nil
	}
	size := max(n, windowSize)
	if cap(s.window) < size {
		s.window = make([]byte, size)
	}
	got, err := s.src.ReadAt(s.window[:size], at)
	if err != nil && !errors.Is(err, io.EOF) {
		s.window = s.window[:0]
		return nil, err
	}
	s.window, s.at = s.window[:got], at
	return s.window[:min(n, got)], nil
}

// Resync goes to the next whole block after damage. If there is none it reports false and stays.
func (s *Scanner) Resync() (bool, error) {
	at, found, err := s.following(s.next)
	if found {
		s.next = at
	}
	return found, err
}

// following looks for a whole block after an offset.
func (s *Scanner) following(after int64) (int64, bool, error) {
	for at := after + 1; ; {
		s.window = s.window[:0]
		piece, err := s.bytes(at, windowSize)
		if err != nil {
			return 0, false, err
		}
		piece = bytes.Clone(piece)
		for from := 0; ; {
			i := bytes.Index(piece[from:], blockMagic)
			if i < 0 {
				break
			}
			candidate := at + int64(from+i)
			switch _, _, err := s.read(candidate); {
			case err == nil:
				return candidate, true, nil
			case !errors.Is(err, ErrUnfinished) && !errors.Is(err, ErrDamaged) && !errors.Is(err, io.EOF):
				return 0, false, err
			}
			from += i + 1
		}
		if len(piece) < windowSize {
			return 0, false, nil
		}
		at += int64(len(piece) - len(blockMagic) + 1)
	}
}
