package udf

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// The frame of a message of rows: see the row codec.
const (
	codecVersion  = 1
	messageHeader = 8
)

// message is a view of rows whose header has been checked.
type message struct {
	rest []byte
	rows int
}

func openMessage(b []byte, columns int) (message, error) {
	if len(b) < messageHeader {
		return message{}, fmt.Errorf("a message of %d bytes", len(b))
	}
	if b[0] != codecVersion || b[1] != 0 {
		return message{}, fmt.Errorf("row codec version %d with flags %d, this library speaks version %d; build the jar and the library together", b[0], b[1], codecVersion)
	}
	if n := int(binary.LittleEndian.Uint16(b[2:])); n != columns {
		return message{}, fmt.Errorf("rows of %d columns, the function has %d", n, columns)
	}
	m := message{rest: b[messageHeader:], rows: int(binary.LittleEndian.Uint32(b[4:]))}
	if m.rows > len(m.rest)/4 {
		return message{}, fmt.Errorf("%d rows in %d bytes", m.rows, len(m.rest))
	}
	return m, nil
}

func (m *message) next() ([]byte, error) {
	if len(m.rest) < 4 {
		return nil, fmt.Errorf("a row's size: %w", errOutside)
	}
	size := uint64(binary.LittleEndian.Uint32(m.rest))
	if size > uint64(len(m.rest)-4) {
		return nil, fmt.Errorf("a row of %d bytes: %w", size, errOutside)
	}
	row := m.rest[4 : 4+size]
	m.rest = m.rest[4+size:]
	return row, nil
}

func (m *message) end() error {
	if len(m.rest) > 0 {
		return fmt.Errorf("%d bytes behind the last row", len(m.rest))
	}
	return nil
}

func (w *sink) startMessage(columns int) int {
	start := w.grow(messageHeader)
	w.Buf[start] = codecVersion
	binary.LittleEndian.PutUint16(w.Buf[start+2:], uint16(columns))
	return start
}

func (w *sink) endMessage(start, rows int) {
	binary.LittleEndian.PutUint32(w.Buf[start+4:], uint32(rows))
}

// row writes the value at p as one row of a message.
func (w *sink) row(r *rowPlanner, p unsafe.Pointer) error {
	mark := w.grow(4)
	if err := r.store(w, p); err != nil {
		return err
	}
	size := len(w.Buf) - mark - 4
	binary.LittleEndian.PutUint32(w.Buf[mark:], uint32(size))
	if size > maxRow {
		return errTooLarge
	}
	return nil
}

// maxRow is as long as a Java buffer can be; a row's own sizes and offsets have 32 bits.
const maxRow = math.MaxInt32 - 1024

var errTooLarge = errors.New("is larger than 2 GB, and no row can be; return less")

// rows is OpEval of a SCALAR.
func (c *Caller) rows(in, dst []byte) ([]byte, error) {
	m, err := openMessage(in, len(c.in.columns))
	if err != nil {
		return nil, inputError(err)
	}
	c.sink.Buf = dst
	start := c.sink.startMessage(len(c.out.columns))
	for c.row = 0; c.row < m.rows; c.row++ {
		if err := c.loadRow(&m); err != nil {
			return nil, err
		}
		if err := c.body.call(c.ctx, c.body.in, c.body.out); err != nil {
			return nil, err
		}
		if err := c.sink.row(c.out, c.body.out); err != nil {
			return nil, resultError(err)
		}
	}
	return c.finish(&m, start, m.rows)
}

// onlyRow is the row of a message that has one and nothing else, as all of SQL's have: three comparisons tell.
func (c *Caller) onlyRow(in []byte) ([]byte, bool) {
	const row = messageHeader + 4
	if len(in) < row || binary.LittleEndian.Uint64(in) != oneRowHeader(len(c.in.columns)) ||
		uint64(binary.LittleEndian.Uint32(in[messageHeader:])) != uint64(len(in)-row) {
		return nil, false
	}
	return in[row:], true
}

// oneRow is rows for a message of one row.
func (c *Caller) oneRow(row, dst []byte) ([]byte, error) {
	c.source.start(len(row) - c.in.fixed)
	if err := c.in.load(&c.source, row, c.body.in); err != nil {
		return nil, inputError(err)
	}
	if err := c.body.call(c.ctx, c.body.in, c.body.out); err != nil {
		return nil, err
	}
	c.sink.Buf = dst
	start := c.sink.grow(messageHeader)
	binary.LittleEndian.PutUint64(c.sink.Buf[start:], oneRowHeader(len(c.out.columns)))
	if err := c.sink.row(c.out, c.body.out); err != nil {
		return nil, resultError(err)
	}
	c.body.reset()
	return c.sink.Buf, nil
}

func oneRowHeader(columns int) uint64 { return codecVersion | uint64(columns)<<16 | 1<<32 }

func (c *Caller) loadRow(m *message) error {
	row, err := m.next()
	if err == nil {
		c.source.start(len(row) - c.in.fixed)
		err = c.in.load(&c.source, row, c.body.in)
	}
	if err != nil {
		return inputError(err)
	}
	return nil
}

// finish ends a message of results.
func (c *Caller) finish(m *message, start, rows int) ([]byte, error) {
	if err := m.end(); err != nil {
		return nil, inputError(err)
	}
	c.body.reset()
	c.sink.endMessage(start, rows)
	return c.sink.Buf, nil
}

// tables is OpEval of a TABLE.
func (c *Caller) tables(in, dst []byte) (result []byte, err error) {
	m, err := openMessage(in, len(c.in.columns))
	if err != nil {
		return nil, inputError(err)
	}
	c.sink.Buf, c.stopped, c.emits = dst, nil, 0
	start := c.sink.startMessage(len(c.out.columns))
	for c.row = 0; c.row < m.rows; c.row++ {
		if err := c.loadRow(&m); err != nil {
			return nil, err
		}
		if err := c.callTable(); err != nil {
			return nil, err
		}
	}
	return c.finish(&m, start, c.emits)
}

// callTable calls the function. emit ends it by a panic when what it emits cannot be taken.
func (c *Caller) callTable() (err error) {
	defer func() {
		if c.stopped != nil { // else it is the function's own panic, and passes
			if value := recover(); value != nil && value != any(errStopped) {
				panic(value)
			}
			err = c.stopped
		}
	}()
	return c.body.call(c.ctx, c.body.in, c.body.out)
}

// errStopped is the panic that ends a table function.
var errStopped = errors.New("the table function was ended by emit")

// emitted takes the row that is in the body's memory.
func (c *Caller) emitted() {
	if c.stopped == nil {
		if err := c.sink.row(c.out, c.body.out); err != nil {
			c.stopped = resultError(err)
		} else if limit := c.instance.maxResult; limit > 0 && int64(len(c.sink.Buf)) > limit {
			c.stopped = &ResultError{Message: tooLarge(limit)}
		}
		c.emits++
	}
	if c.stopped != nil {
		panic(errStopped)
	}
}

// fingerprintSize is how many bytes at the start of an accumulator say what it is.
const fingerprintSize = 8

// fingerprint names the schema of an accumulator and the codec it is written in.
func fingerprint(acc Field) [fingerprintSize]byte {
	sum := sha256.Sum256([]byte(fmt.Sprintf("drey accumulator %d %s", codecVersion, acc.SQL())))
	return [fingerprintSize]byte(sum[:])
}
