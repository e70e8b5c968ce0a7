package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// checkKey is asked before anything is sent.
func (s *Store) checkKey(ctx context.Context, op, key string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := snapshot.CheckKey(key); err != nil {
		return s.fail(ctx, op, key, invalid(err))
	}
	return nil
}

// Stat describes an object.
func (s *Store) Stat(ctx context.Context, key string) (snapshot.Object, error) {
	if err := s.checkKey(ctx, "stat", key); err != nil {
		return snapshot.Object{}, err
	}
	head, err := s.head(ctx, key)
	if err != nil {
		return snapshot.Object{}, s.fail(ctx, "stat", key, err)
	}
	return describe(key, head), nil
}

// head asks for an object's description. The answer to HEAD has no body, so that a 404 may be about the key, the bucket or
// the user; only the first means that the object is gone, so that the same question is asked once more by GET.
func (s *Store) head(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	head, err := s.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	var response *smithyhttp.ResponseError
	if err == nil || !errors.As(err, &response) || mean(err).retryable {
		return head, err
	}
	get, getErr := s.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: aws.String("bytes=0-0")})
	if getErr == nil {
		return nil, errors.Join(err, get.Body.Close())
	}
	return nil, getErr
}

func describe(key string, head *s3.HeadObjectOutput) snapshot.Object {
	return snapshot.Object{
		Key: key, Size: aws.ToInt64(head.ContentLength), ETag: aws.ToString(head.ETag), Modified: aws.ToTime(head.LastModified),
		Checksum: checksum(head.ChecksumType, sums{
			head.ChecksumCRC32C, head.ChecksumCRC32, head.ChecksumCRC64NVME, head.ChecksumSHA256, head.ChecksumSHA1,
		}),
	}
}

// sums are in the order of algorithms.
type sums [5]*string

var algorithms = [5]snapshot.Algorithm{snapshot.CRC32C, snapshot.CRC32, snapshot.CRC64NVME, snapshot.SHA256, snapshot.SHA1}

// checksum takes the cheapest one that is of the whole object. "abc=-3" is of the checksums of three parts.
func checksum(kind types.ChecksumType, s sums) snapshot.Checksum {
	if kind == types.ChecksumTypeComposite {
		return snapshot.Checksum{}
	}
	for i, text := range s {
		if text == nil || strings.Contains(*text, "-") {
			continue
		}
		if c, err := snapshot.ParseChecksum(algorithms[i], *text); err == nil {
			return c
		}
	}
	return snapshot.Checksum{}
}

// Open reads a part of an object.
func (s *Store) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	if err := s.checkKey(ctx, "open", key); err != nil {
		return nil, snapshot.Object{}, err
	}
	r, o, err := s.open(ctx, key, part)
	if err != nil {
		return nil, snapshot.Object{}, s.fail(ctx, "open", key, err)
	}
	return r, o, nil
}

func (s *Store) open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	if part.Offset < 0 || part.Length < snapshot.AllBytes {
		_, err := part.Within(0)
		return nil, snapshot.Object{}, invalid(err)
	}
	if part.Length == 0 {
		return s.openNothing(ctx, key, part)
	}
	a, err := s.get(ctx, key, part)
	if err != nil {
		if part.Offset > 0 && part.Length == snapshot.AllBytes && errors.Is(mean(err).kind, snapshot.ErrShort) {
			return s.openNothing(ctx, key, part) // the part may begin at the very end
		}
		return nil, snapshot.Object{}, err
	}
	r := &reader{ctx: ctx, store: s, key: key, answer: a, at: part.Offset, mark: part.Offset, end: part.Offset + a.length}
	if a.length == a.object.Size {
		r.hash = a.object.Checksum.Algorithm.New() // nil if there is nothing to compare with
	}
	return r, a.object, nil
}

// openNothing is a part without bytes, for which S3 has no range.
func (s *Store) openNothing(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	head, err := s.head(ctx, key)
	if err != nil {
		return nil, snapshot.Object{}, err
	}
	o := describe(key, head)
	length, err := part.Within(o.Size)
	switch {
	case err != nil:
		return nil, snapshot.Object{}, short(err)
	case part.ETag != "" && part.ETag != o.ETag, length > 0: // or it has grown since it was too short
		return nil, snapshot.Object{}, errReplaced
	}
	return http.NoBody, o, nil
}

var errReplaced = meant{meaning{kind: snapshot.ErrChanged}, snapshot.ErrChanged}

func short(err error) error { return meant{meaning{kind: snapshot.ErrShort}, err} }

// answer is one answer to GET.
type answer struct {
	object snapshot.Object
	body   io.ReadCloser
	cancel context.CancelCauseFunc
	length int64
}

// get asks for a part, and again if an answer promises less: the SDK tries other failures again, and knows nothing of this one.
func (s *Store) get(ctx context.Context, key string, part snapshot.Part) (answer, error) {
	for tries := 1; ; tries++ {
		a, err := s.getOnce(ctx, key, part)
		if !errors.Is(err, errPromise) || tries >= s.config.Attempts || !pause(ctx, rand.N(min(s.config.MaxBackoff, firstPause<<min(tries-1, 10))+1)) {
			return a, err
		}
	}
}

// errPromise: an answer is not of all that was asked for.
var errPromise = meant{meaning{kind: snapshot.ErrUnavailable, retryable: true, hint: hintReach}, errors.New("the server answers with less than was asked for")}

// getOnce sends one GET and compares what is promised with what was asked for.
func (s *Store) getOnce(ctx context.Context, key string, part snapshot.Part) (answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	out, err := s.api.GetObject(ctx, getInput(s.bucket, key, part),
		// Not by ChecksumMode, upon which the SDK would compare too.
		s3.WithAPIOptions(smithyhttp.AddHeaderValue("x-amz-checksum-mode", "ENABLED")))
	if err != nil {
		cancel(nil)
		return answer{}, err
	}
	a := answer{body: out.Body, cancel: cancel, object: snapshot.Object{
		Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified),
	}}
	if err := a.compare(out, part); err != nil {
		a.close()
		return answer{}, err
	}
	return a, nil
}

func (a *answer) close() {
	a.body.Close() //nolint:errcheck // what is left of it is of no use
	a.cancel(nil)
}

func getInput(bucket, key string, part snapshot.Part) *s3.GetObjectInput {
	input := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if part.ETag != "" {
		input.IfMatch = &part.ETag
	}
	switch {
	case part.Length != snapshot.AllBytes:
		input.Range = aws.String(fmt.Sprintf("bytes=%d-%d", part.Offset, part.Offset+part.Length-1))
	case part.Offset > 0:
		input.Range = aws.String(fmt.Sprintf("bytes=%d-", part.Offset))
	}
	return input
}

func (a *answer) compare(out *s3.GetObjectOutput, part snapshot.Part) error {
	promised := a.object.Size
	switch {
	case out.ContentRange != nil:
		first, size, err := parseContentRange(*out.ContentRange)
		if a.object.Size = size; err != nil || first != part.Offset {
			return fmt.Errorf("the server answered with range %.60q to offset %d", *out.ContentRange, part.Offset)
		}
	case part.Offset > 0:
		return errors.New("the server knows no ranges")
	}
	var err error
	if a.length, err = part.Within(a.object.Size); err != nil {
		return short(err)
	}
	if promised < a.length {
		return fmt.Errorf("%w: %d bytes of %d", errPromise, promised, a.length)
	}
	if part.ETag != "" && part.ETag != a.object.ETag {
		return errReplaced
	}
	if a.length == a.object.Size {
		a.object.Checksum = checksum(out.ChecksumType, sums{
			out.ChecksumCRC32C, out.ChecksumCRC32, out.ChecksumCRC64NVME, out.ChecksumSHA256, out.ChecksumSHA1,
		})
	}
	return nil
}

// parseContentRange reads "bytes 0-9/100" (RFC 9110, 14.4).
func parseContentRange(text string) (first, size int64, err error) {
	rest, ok := strings.CutPrefix(text, "bytes ")
	span, total, slash := strings.Cut(rest, "/")
	from, _, dash := strings.Cut(span, "-")
	if !ok || !slash || !dash {
		return 0, 0, errors.New("not a content range")
	}
	if first, err = strconv.ParseInt(from, 10, 64); err != nil {
		return 0, 0, err
	}
	size, err = strconv.ParseInt(total, 10, 64)
	if err == nil && (first < 0 || first > size) {
		err = errors.New("a range outside the object")
	}
	return first, size, err
}
