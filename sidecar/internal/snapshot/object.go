package snapshot

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// Object describes an object as a store knows it.
type Object struct {
	Key string
	// Size in bytes.
	Size int64
	// ETag names the version of the content: another content has another ETag. It is opaque, and a content hash only by
	// accident: S3's depends on how an object was uploaded and encrypted. Empty in what List yields.
	ETag string
	// Modified is of the store's clock: for people, not for decisions.
	Modified time.Time
	// Checksum is of the whole object, the zero value if the store does not know one.
	Checksum Checksum
}

// Part is a part of an object. The zero value is no bytes: see Whole.
type Part struct {
	// Offset is the first byte, from 0. Beyond the end of the object is an error.
	Offset int64
	// Length is the number of bytes; AllBytes stands for all to the end. More than there are is an error.
	Length int64
	// ETag, if not empty, is the version that is meant; if the object has another one by now that is ErrChanged.
	ETag string
}

// AllBytes as the Length of a Part: up to the end of the object.
const AllBytes = -1

// Whole is all of an object, whatever its size, and in whichever version.
func Whole() Part { return Part{Length: AllBytes} }

// Within says how many bytes of an object of the given size the part is, or that it does not fit. Backends ask it once they
// know the size.
func (p Part) Within(size int64) (length int64, err error) {
	switch {
	case p.Offset < 0 || p.Length < AllBytes:
		return 0, fmt.Errorf("a part of %d bytes at offset %d makes no sense: %w", p.Length, p.Offset, ErrInvalid)
	case p.Offset > size:
		return 0, fmt.Errorf("it has %d bytes, fewer than the offset %d: %w", size, p.Offset, ErrShort)
	case p.Length == AllBytes:
		return size - p.Offset, nil
	case p.Length > size-p.Offset:
		return 0, fmt.Errorf("it has %d bytes, fewer than the %d at offset %d that are needed: %w", size, p.Length, p.Offset, ErrShort)
	}
	return p.Length, nil
}

// maxKey is the limit of S3, in bytes.
const maxKey = 1024

// CheckKey refuses a key that does not mean the same to all backends, or that would leave a folder: keys are elements
// between single slashes, none of them empty, "." or "..", of valid UTF-8 without NUL.
func CheckKey(key string) error {
	if err := CheckPrefix(key); err != nil {
		return err
	}
	switch path.Base(key) {
	case ".", "..":
		return errElement
	}
	if key == "" || strings.HasSuffix(key, "/") {
		return errElement
	}
	return nil
}

// CheckPrefix does so for the beginning of a key, whose last element may be cut off anywhere.
func CheckPrefix(prefix string) error {
	switch {
	case len(prefix) > maxKey:
		return fmt.Errorf("the key has %d bytes, more than %d", len(prefix), maxKey)
	case !utf8.ValidString(prefix):
		return errors.New("the key is not UTF-8")
	case strings.IndexByte(prefix, 0) >= 0:
		return errors.New("the key holds a NUL byte")
	}
	elements := strings.Split(prefix, "/")
	for _, element := range elements[:len(elements)-1] {
		if element == "" || element == "." || element == ".." {
			return errElement
		}
	}
	return nil
}

var errElement = errors.New("the key has an element that is empty or of dots alone")
