package segment

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Codec says how the blocks of a sealed segment are compressed.
type Codec uint8

// The codecs.
const (
	None Codec = iota
	S2
	Zstd
)

// Codecs are their names, in order.
var Codecs = [...]string{"none", "s2", "zstd"}

// ParseCodec reads a codec's name.
func ParseCodec(name string) (Codec, error) {
	for i, c := range Codecs {
		if c == name {
			return Codec(i), nil
		}
	}
	return None, fmt.Errorf("%q, must be none, s2 or zstd", name)
}

func (c Codec) String() string { return Codecs[c] }

// MaxBlock is the most bytes of a block before it is compressed. A reader refuses more, so that no file can make it take
// more memory than that.
const MaxBlock = 16 << 20

// encoder compresses blocks, one at a time.
type encoder struct {
	codec Codec
	zstd  *zstd.Encoder
}

func newEncoder(c Codec) (*encoder, error) {
	e := &encoder{codec: c}
	if c == Zstd {
		// The checksum is left out: records have their own. One goroutine: sealing must not take the cores from functions.
		w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		e.zstd = w
	}
	return e, nil
}

// compress appends to dst.
func (e *encoder) compress(dst, raw []byte) []byte {
	switch e.codec {
	case S2:
		need := len(dst) + s2.MaxEncodedLen(len(raw))
		if cap(dst) < need {
			dst = append(make([]byte, 0, need), dst...)
		}
		return dst[:len(dst)+len(s2.Encode(dst[len(dst):need], raw))]
	case Zstd:
		return e.zstd.EncodeAll(raw, dst)
	}
	return append(dst, raw...)
}

// decoders are expensive to make and safe to share; the zero value makes them when they are needed.
type decoders struct {
	once sync.Once
	zstd *zstd.Decoder
	err  error
}

// decompress returns exactly raw bytes: stored itself if it is not compressed, else a slice of its own.
func (d *decoders) decompress(c Codec, stored []byte, raw int) ([]byte, error) {
	switch c {
	case S2:
		if n, err := s2.DecodedLen(stored); err != nil || n != raw {
			return nil, damaged("a block's length")
		}
		out, err := s2.Decode(make([]byte, raw), stored)
		if err != nil {
			return nil, damaged("%v", err)
		}
		return out, nil
	case Zstd:
		d.once.Do(func() {
			d.zstd, d.err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxBlock), zstd.WithDecoderLowmem(true))
		})
		if d.err != nil {
			return nil, fmt.Errorf("zstd: %w", d.err)
		}
		out, err := d.zstd.DecodeAll(stored, make([]byte, 0, raw))
		if err != nil {
			return nil, damaged("%v", err)
		}
		if len(out) != raw {
			return nil, damaged("a block of %d bytes, %d were written", len(out), raw)
		}
		return out, nil
	}
	if len(stored) != raw {
		return nil, damaged("a block's length")
	}
	return stored, nil
}
