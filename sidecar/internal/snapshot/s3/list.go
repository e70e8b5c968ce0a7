package s3

import (
	"context"
	"iter"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// List goes through the objects, a thousand per request. Names that are no keys, like those that S3's console makes for
// folders, are left out.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[snapshot.Object, error] {
	return func(yield func(snapshot.Object, error) bool) {
		if err := snapshot.CheckPrefix(prefix); err != nil {
			yield(snapshot.Object{}, s.fail(ctx, "list", prefix, invalid(err)))
			return
		}
		// As URLs: XML has no way to write some of the characters that keys may hold.
		pages := s3.NewListObjectsV2Paginator(s.api, &s3.ListObjectsV2Input{
			Bucket: &s.bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl,
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(snapshot.Object{}, s.fail(ctx, "list", prefix, err))
				return
			}
			for _, found := range page.Contents {
				key := aws.ToString(found.Key)
				if page.EncodingType == types.EncodingTypeUrl {
					if key, err = url.QueryUnescape(key); err != nil {
						yield(snapshot.Object{}, s.fail(ctx, "list", prefix, err))
						return
					}
				}
				if snapshot.CheckKey(key) != nil {
					continue
				}
				if !yield(snapshot.Object{Key: key, Size: aws.ToInt64(found.Size), Modified: aws.ToTime(found.LastModified)}, nil) {
					return
				}
			}
		}
	}
}
