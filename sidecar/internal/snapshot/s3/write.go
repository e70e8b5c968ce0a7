package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// writeName is the user metadata that tells one's own write from another's of the same bytes.
const writeName = "drey-write"

// Create makes an object: by one PUT, or in parts if it is larger than one.
func (s *Store) Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error) {
	if err := s.checkKey(ctx, "create", key); err != nil {
		return snapshot.Object{}, err
	}
	if size > s.config.PartSize {
		return s.createInParts(ctx, key, body, size)
	}
	data := make([]byte, max(size, 0))
	if err := readExactly(body, data, true); err != nil {
		return snapshot.Object{}, s.fail(ctx, "create", key, err)
	}
	return s.put(ctx, "create", key, data, "")
}

// readExactly fills data, and looks whether more follows if that would be wrong.
func readExactly(body io.Reader, data []byte, last bool) error {
	switch _, err := io.ReadFull(body, data); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return invalid(errors.New("the body is shorter than the size that was announced"))
	case err != nil:
		return invalid(fmt.Errorf("read the body: %w", err))
	case !last:
		return nil
	}
	switch n, err := io.ReadFull(body, make([]byte, 1)); {
	case n > 0:
		return invalid(errors.New("the body is longer than the size that was announced"))
	case !errors.Is(err, io.EOF):
		return invalid(fmt.Errorf("read the body: %w", err))
	}
	return nil
}

// Replace swaps an object.
func (s *Store) Replace(ctx context.Context, key string, body []byte, etag string) (snapshot.Object, error) {
	if err := s.checkKey(ctx, "replace", key); err != nil {
		return snapshot.Object{}, err
	}
	if etag == "" {
		return snapshot.Object{}, s.fail(ctx, "replace", key, invalid(errors.New("no etag was given")))
	}
	return s.put(ctx, "replace", key, body, etag)
}

// put writes if the object has the ETag, or if there is none if that is "".
func (s *Store) put(ctx context.Context, op, key string, data []byte, etag string) (snapshot.Object, error) {
	sum, err := snapshot.CRC32C.OfBytes(data)
	if err != nil {
		return snapshot.Object{}, err
	}
	w := newWrite(key, int64(len(data)))
	input := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))),
		Metadata: w.metadata(), ChecksumCRC32C: aws.String(sum.Base64()),
	}
	if etag == "" {
		input.IfNoneMatch = aws.String("*")
	} else {
		input.IfMatch = &etag
	}
	watching, attempts := watch(ctx)
	out, err := s.api.PutObject(watching, input)
	if err != nil {
		return s.wrote(ctx, op, w, attempts, err)
	}
	w.object.ETag, w.object.Checksum = aws.ToString(out.ETag), sum
	return w.object, nil
}

// write is one conditional write.
type write struct {
	name   string
	object snapshot.Object // without ETag and checksum until they are known
}

func newWrite(key string, size int64) write {
	return write{name: rand.Text(), object: snapshot.Object{Key: key, Size: size}}
}

func (w write) metadata() map[string]string { return map[string]string{writeName: w.name} }

// wrote finds out whether a write that was answered with an error happened all the same: by one of the attempts whose answer
// was lost. If nobody can tell, the error says so.
func (s *Store) wrote(ctx context.Context, op string, w write, a *attempts, err error) (snapshot.Object, error) {
	failed := s.fail(ctx, op, w.object.Key, err)
	if !a.unsure {
		return snapshot.Object{}, failed
	}
	if errors.Is(mean(err).kind, snapshot.ErrChanged) || apiCode(err) == "NoSuchUpload" {
		head, headErr := s.head(ctx, w.object.Key)
		switch {
		case headErr == nil && head.Metadata[writeName] == w.name:
			return describe(w.object.Key, head), nil
		case headErr == nil && apiCode(err) != "NoSuchUpload":
			// Somebody else's is there. With Create ours never was; with Replace it may have been, and have been replaced since,
			// which is not to be told from never.
			return snapshot.Object{}, failed
		}
	}
	var e *snapshot.Error
	if errors.As(failed, &e) {
		e.Unsure = true
		if e.Hint != "" {
			e.Hint += "; "
		}
		e.Hint += "the write may have happened all the same"
	}
	return snapshot.Object{}, failed
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.checkKey(ctx, "delete", key); err != nil {
		return err
	}
	_, err := s.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil && apiCode(err) != "NoSuchKey" {
		return s.fail(ctx, "delete", key, err)
	}
	return nil
}
