// Package s3 is a snapshot store in a bucket of S3, or of a server that speaks its protocol.
//
// Requests are tried again with jitter and within a budget that all requests of a Client share (the standard retry mode of
// the AWS SDK); an answer that breaks off or stalls goes on at the byte where it stopped, with If-Match, so that the bytes
// are of one version. Redirects are not followed: what is in a bucket does not decide which hosts are talked to.
//
// Conditional writes carry a random name in the object's metadata. If an attempt's answer was lost and the next is refused
// because the object exists, that name tells whether it was the own attempt.
package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// Client talks to one S3 as one user. Its stores share connections and the budget of retries.
type Client struct {
	config Config
	api    *s3.Client
}

// New returns a client. Nothing is sent yet.
func New(ctx context.Context, c Config) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	c = c.withDefaults()
	loaded, err := config.LoadDefaultConfig(ctx, c.loading()...)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	if loaded.Region == "" {
		if c.Endpoint == "" && loaded.BaseEndpoint == nil {
			return nil, errors.New("s3: no region; set region, or AWS_REGION in the environment")
		}
		loaded.Region = defaultRegion
	}
	if loaded.Credentials != nil && !c.Anonymous {
		loaded.Credentials = aws.NewCredentialsCache(namedCredentials{loaded.Credentials})
	}
	buildable, ok := loaded.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		return nil, fmt.Errorf("s3: the SDK made an HTTP client of type %T", loaded.HTTPClient)
	}
	api := s3.NewFromConfig(loaded, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
		o.HTTPClient = &watched{http.Client{
			Transport:     buildable.GetTransport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
		// Checksums are computed and compared here: the SDK's way ends where a download is resumed, and its uploads use a
		// framing that some servers store as content.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return &Client{config: c, api: api}, nil
}

func (c Config) loading() []func(*config.LoadOptions) error {
	// The transport stays the SDK's, to which it adds the authorities of AWS_CA_BUNDLE.
	transport := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 10 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost, t.MaxIdleConns = 64, 256
			t.ResponseHeaderTimeout = c.StallTimeout
			t.TLSHandshakeTimeout = 10 * time.Second
			t.DisableCompression = true // a range counts stored bytes
			t.ReadBufferSize = 64 << 10
		})
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(transport),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = c.Attempts, c.MaxBackoff })
		}),
	}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	switch {
	case c.Anonymous:
		options = append(options, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	case c.AccessKey != "":
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.SessionToken)))
	}
	return options
}

// Bucket returns the store of one bucket. It is not asked whether the bucket exists.
func (c *Client) Bucket(name string) (*Store, error) {
	if err := CheckBucket(name); err != nil {
		return nil, &snapshot.Error{Op: "open", Where: "s3://" + name, Kind: snapshot.ErrInvalid, Err: err}
	}
	return &Store{config: c.config, api: c.api, bucket: name}, nil
}

// Store is one bucket.
type Store struct {
	config Config
	api    *s3.Client
	bucket string
}

// namedCredentials makes the failure to find credentials one that can be told from others.
type namedCredentials struct{ aws.CredentialsProvider }

type credentialsError struct{ error }

func (e credentialsError) Unwrap() error { return e.error }

func (n namedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := n.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, credentialsError{err}
	}
	return c, nil
}

// watched notes of each attempt whether the server may have done what it was asked for.
type watched struct{ http.Client }

type attempts struct{ unsure bool }

type attemptsKey struct{}

// watch returns a context for one call of the SDK, and what will be known about its attempts.
func watch(ctx context.Context) (context.Context, *attempts) {
	a := &attempts{}
	return context.WithValue(ctx, attemptsKey{}, a), a
}

func (w *watched) Do(r *http.Request) (*http.Response, error) {
	response, err := w.Client.Do(r)
	if a, ok := r.Context().Value(attemptsKey{}).(*attempts); ok {
		var op *net.OpError
		switch {
		case errors.As(err, &op) && op.Op == "dial": // nothing was sent
		case err != nil, response.StatusCode < 300:
			a.unsure = true // sent, and no answer, or one that may break off
		case response.StatusCode >= 500 && response.StatusCode != http.StatusServiceUnavailable:
			a.unsure = true
		}
	}
	return response, err
}
