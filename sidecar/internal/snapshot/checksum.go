package snapshot

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // S3 offers it; it is compared, not trusted
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"

	"github.com/minio/crc64nvme"
)

// Checksum is a hash of a whole object. Those that S3 forms of the hashes of parts say nothing without the parts and are left
// out.
type Checksum struct {
	Algorithm Algorithm
	Sum       []byte // big-endian for the CRCs
}

// Algorithm names a hash as S3 does (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
type Algorithm string

// The algorithms that can be verified.
const (
	CRC32     Algorithm = "CRC32"
	CRC32C    Algorithm = "CRC32C"
	CRC64NVME Algorithm = "CRC64NVME"
	SHA1      Algorithm = "SHA1"
	SHA256    Algorithm = "SHA256"
)

// IsZero: nothing is known.
func (c Checksum) IsZero() bool { return c.Algorithm == "" }

func (c Checksum) String() string {
	if c.IsZero() {
		return ""
	}
	return string(c.Algorithm) + ":" + hex.EncodeToString(c.Sum)
}

// Base64 is how S3 writes the sum.
func (c Checksum) Base64() string { return base64.StdEncoding.EncodeToString(c.Sum) }

// ParseChecksum reads S3's form of a sum.
func ParseChecksum(a Algorithm, text string) (Checksum, error) {
	sum, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return Checksum{}, fmt.Errorf("%s checksum %q: %w", a, text, err)
	}
	if h := a.New(); h == nil || h.Size() != len(sum) {
		return Checksum{}, fmt.Errorf("%s checksum %q has not the right length", a, text)
	}
	return Checksum{Algorithm: a, Sum: sum}, nil
}

// New returns the hash, nil if it is none of the above.
func (a Algorithm) New() hash.Hash {
	switch a {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case CRC64NVME:
		return crc64nvme.New()
	case SHA1:
		return sha1.New() //nolint:gosec // as above
	case SHA256:
		return sha256.New()
	}
	return nil
}

// Check compares with what was read.
func (c Checksum) Check(h hash.Hash) error {
	if got := h.Sum(nil); !bytes.Equal(got, c.Sum) {
		return fmt.Errorf("%w: %s is %x, the store has %x", ErrCorrupt, c.Algorithm, got, c.Sum)
	}
	return nil
}

// OfBytes is the checksum of data that is at hand.
func (a Algorithm) OfBytes(data []byte) (Checksum, error) {
	h := a.New()
	if h == nil {
		return Checksum{}, errors.New("no such checksum: " + string(a))
	}
	h.Write(data) //nolint:errcheck // a hash does not fail
	return Checksum{Algorithm: a, Sum: h.Sum(nil)}, nil
}
