package s3

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// abortTimeout bounds the cleaning up after an upload that failed, whose context may have ended.
const abortTimeout = 10 * time.Second

// upload is one multipart upload.
type upload struct {
	store *Store
	write write
	id    *string
	parts []types.CompletedPart
	whole uint32 // CRC32C of what was read so far
}

// createInParts uploads parts side by side. Nothing is visible until the last call, which is the conditional one. The
// checksum of the whole object is kept, so that readers can compare whatever parts they read it in.
func (s *Store) createInParts(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error) {
	u := &upload{store: s, write: newWrite(key, size)}
	begun, err := s.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, Metadata: u.write.metadata(),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, ChecksumType: types.ChecksumTypeFullObject,
	})
	if err != nil {
		return snapshot.Object{}, s.fail(ctx, "create", key, err)
	}
	u.id = begun.UploadId
	if err := u.send(ctx, body, size); err != nil {
		u.abort(ctx)
		return snapshot.Object{}, s.fail(ctx, "create", key, err)
	}
	o, err := u.complete(ctx)
	if err != nil && !snapshot.Unsure(err) {
		u.abort(ctx)
	}
	return o, err
}

// send reads the body once, part by part, while earlier parts are on their way.
func (u *upload) send(ctx context.Context, body io.Reader, size int64) error {
	partSize := max(u.store.config.PartSize, (size+maxParts-1)/maxParts)
	u.parts = make([]types.CompletedPart, (size+partSize-1)/partSize)
	buffers := make(chan []byte, uploadParallel)
	for range uploadParallel {
		buffers <- nil
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range u.parts {
		var buffer []byte
		select {
		case buffer = <-buffers:
		case <-ctx.Done():
			return errors.Join(group.Wait(), context.Cause(ctx))
		}
		if buffer == nil {
			buffer = make([]byte, partSize)
		}
		data := buffer[:min(partSize, size-int64(i)*partSize)]
		if err := readExactly(body, data, i == len(u.parts)-1); err != nil {
			return errors.Join(err, group.Wait())
		}
		u.whole = crc32.Update(u.whole, crc32.MakeTable(crc32.Castagnoli), data)
		group.Go(func() error {
			defer func() { buffers <- buffer }()
			return u.sendPart(ctx, i, data)
		})
	}
	return group.Wait()
}

func (u *upload) sendPart(ctx context.Context, i int, data []byte) error {
	sum, err := snapshot.CRC32C.OfBytes(data)
	if err != nil {
		return err
	}
	number, checksum := aws.Int32(int32(i+1)), aws.String(sum.Base64()) //nolint:gosec // at most maxParts
	out, err := u.store.api.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &u.store.bucket, Key: &u.write.object.Key, UploadId: u.id, PartNumber: number,
		Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))), ChecksumCRC32C: checksum,
	})
	if err != nil {
		return err
	}
	u.parts[i] = types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32C: checksum}
	return nil
}

func (u *upload) complete(ctx context.Context) (snapshot.Object, error) {
	sum := snapshot.Checksum{Algorithm: snapshot.CRC32C, Sum: binary.BigEndian.AppendUint32(nil, u.whole)}
	watching, attempts := watch(ctx)
	out, err := u.store.api.CompleteMultipartUpload(watching, &s3.CompleteMultipartUploadInput{
		Bucket: &u.store.bucket, Key: &u.write.object.Key, UploadId: u.id, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
		ChecksumCRC32C:  aws.String(sum.Base64()), ChecksumType: types.ChecksumTypeFullObject,
	})
	if err != nil {
		return u.store.wrote(ctx, "create", u.write, attempts, err)
	}
	u.write.object.ETag, u.write.object.Checksum = aws.ToString(out.ETag), sum
	return u.write.object, nil
}

// abort frees the parts that the server keeps, also when ctx has ended. If that fails too, a lifecycle rule of the bucket is
// what frees them; the error that matters is the one before.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	u.store.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{ //nolint:errcheck // see above
		Bucket: &u.store.bucket, Key: &u.write.object.Key, UploadId: u.id,
	})
}
