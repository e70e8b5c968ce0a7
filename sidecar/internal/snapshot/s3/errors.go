package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// meaning is what a failure stands for.
type meaning struct {
	kind      error
	retryable bool
	hint      string
}

const (
	hintCredentials = "check the access key and the secret key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or in the configuration)"
	hintRights      = "give this user s3:GetObject and s3:ListBucket, and to write s3:PutObject and s3:DeleteObject"
	hintRegion      = "set the region of the bucket"
	hintBucket      = "check the bucket's name and the endpoint"
	hintSlow        = "the server is overloaded; it will be tried again"
	hintReach       = "check that the endpoint can be reached"
	hintBoth        = "this server keeps no object x beside x/y"
	hintConflict    = "somebody else writes the same object"
)

// ofCode has the codes of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html that call for something else
// than their HTTP status does, and a few of other servers.
func ofCode(code string) (meaning, bool) {
	switch code {
	case "NoSuchKey", "NoSuchVersion":
		return meaning{kind: snapshot.ErrNotFound}, true
	case "NoSuchBucket", "InvalidBucketName", "MethodNotAllowed":
		return meaning{kind: snapshot.ErrNoStore, hint: hintBucket}, true
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return meaning{kind: snapshot.ErrNoStore, hint: hintRegion}, true
	case "AccessDenied":
		return meaning{kind: snapshot.ErrDenied, hint: hintRights}, true
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "XAdminUserNotFound": // the last: versitygw, as a 404
		return meaning{kind: snapshot.ErrDenied, hint: hintCredentials}, true
	case "ExpiredToken":
		return meaning{kind: snapshot.ErrDenied, hint: "the credentials have expired; get new ones"}, true
	case "RequestTimeTooSkewed":
		return meaning{kind: snapshot.ErrDenied, hint: "set this machine's clock"}, true
	case "InvalidObjectState":
		return meaning{kind: snapshot.ErrDenied, hint: "the object is archived; restore it first"}, true
	case "PreconditionFailed":
		return meaning{kind: snapshot.ErrChanged}, true
	case "InvalidRange":
		return meaning{kind: snapshot.ErrShort}, true
	case "QuotaExceeded", "NoSpaceLeftOnDevice", "XMinioStorageFull":
		return meaning{kind: snapshot.ErrFull, hint: "free some space on the S3 server, or raise the quota"}, true
	case "BadDigest":
		return meaning{kind: snapshot.ErrCorrupt, retryable: true, hint: "the bytes changed on the way to the server"}, true
	case "ConditionalRequestConflict", "OperationAborted":
		return meaning{kind: snapshot.ErrUnavailable, retryable: true, hint: hintConflict}, true
	case "ExistingObjectIsDirectory", "ObjectParentIsFile":
		return meaning{kind: snapshot.ErrExists, hint: hintBoth}, true
	case "KeyTooLongError", "EntityTooLarge":
		return meaning{kind: snapshot.ErrInvalid}, true
	case "SlowDown", "RequestTimeout", "XMinioServerNotInitialized":
		return meaning{kind: snapshot.ErrUnavailable, retryable: true, hint: hintSlow}, true
	}
	return meaning{}, false
}

// ofStatus stands in where there is no code: answers to HEAD have no body, proxies have codes of their own.
func ofStatus(status int) (meaning, bool) {
	switch {
	case status == http.StatusNotFound:
		return meaning{kind: snapshot.ErrNoStore, hint: hintBucket}, true
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return meaning{kind: snapshot.ErrDenied, hint: hintCredentials}, true
	case status == http.StatusPreconditionFailed:
		return meaning{kind: snapshot.ErrChanged}, true
	case status >= 300 && status < 400:
		return meaning{kind: snapshot.ErrNoStore, hint: hintRegion}, true
	case status == http.StatusTooManyRequests, status >= 500:
		return meaning{kind: snapshot.ErrUnavailable, retryable: true, hint: hintSlow}, true
	}
	return meaning{}, false
}

func mean(err error) meaning {
	var known meant
	if errors.As(err, &known) {
		return known.meaning
	}
	if m, ok := ofCode(apiCode(err)); ok {
		return m
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		if m, ok := ofStatus(response.HTTPStatusCode()); ok {
			return m
		}
	}
	var (
		missing     credentialsError
		certificate *tls.CertificateVerificationError
		dns         *net.DNSError
		network     net.Error
		sending     *smithyhttp.RequestSendError
	)
	switch {
	case errors.As(err, &missing):
		return meaning{kind: snapshot.ErrDenied, hint: "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or access_key and secret_key"}
	case errors.As(err, &certificate):
		return meaning{kind: snapshot.ErrDenied, hint: "the server's certificate is not trusted; set AWS_CA_BUNDLE to its authority"}
	case errors.As(err, &dns) && dns.IsNotFound:
		return meaning{kind: snapshot.ErrUnavailable, retryable: true, hint: "check the endpoint's host name, or set path_style"}
	case errors.As(err, &network), errors.As(err, &sending), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errStalled):
		return meaning{kind: snapshot.ErrUnavailable, retryable: true, hint: hintReach}
	}
	return meaning{}
}

// meant is an error of this package that knows what it means.
type meant struct {
	meaning

	err error
}

func (m meant) Error() string { return m.err.Error() }
func (m meant) Unwrap() error { return m.err }

func invalid(err error) error { return meant{meaning{kind: snapshot.ErrInvalid}, err} }

// apiCode is the code of S3's error, "" if it is none.
func apiCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// fail describes a failed call.
func (s *Store) fail(ctx context.Context, op, key string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m := mean(err)
	e := &snapshot.Error{Op: op, Where: "s3://" + s.bucket, Key: key, Kind: m.kind, Retryable: m.retryable, Hint: m.hint, Err: brief(err)}
	switch {
	case errors.Is(e.Kind, snapshot.ErrChanged) && op == "create":
		e.Kind = snapshot.ErrExists
	case errors.Is(e.Kind, snapshot.ErrExists) && op == "replace":
		e.Kind = snapshot.ErrNotFound // what is in its way is not it
	}
	if region := bucketRegion(err); region != "" && e.Hint == hintRegion {
		e.Hint += ": " + region
	}
	return e
}

func bucketRegion(err error) string {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return ""
	}
	region := response.Response.Header.Get("x-amz-bucket-region")
	if len(region) > 32 || strings.ContainsFunc(region, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return region
}

// brief keeps what a person needs of an error of the SDK, and not more of a server's text than a line.
func brief(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	text := api.ErrorCode()
	if message := strings.Join(strings.Fields(api.ErrorMessage()), " "); message != "" && message != text {
		text += ": " + message
	}
	const limit = 300
	if len(text) > limit {
		text = text[:limit] + "..."
	}
	return shortened{text, err}
}

type shortened struct {
	text string
	err  error
}

func (s shortened) Error() string { return s.text }
func (s shortened) Unwrap() error { return s.err }
