package s3

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"
)

// Config says which S3 it is and how hard to try. The zero value of a field is its default.
type Config struct {
	Endpoint string `yaml:"endpoint" doc:"URL of the S3 server; empty = AWS"`
	Region   string `yaml:"region" doc:"region of the buckets; empty = of the environment (AWS_REGION, ~/.aws/config), and us-east-1 if an endpoint is given"`
	// PathStyle is what most servers other than AWS need.
	PathStyle bool `yaml:"path_style" doc:"put the bucket into the path and not into the host name"`
	// AccessKey and SecretKey are taken before the credential chain of the AWS SDK: environment, ~/.aws, web identity, ECS, EC2.
	AccessKey    string `yaml:"access_key" doc:"access key; empty = the credential chain of the AWS SDK"`
	SecretKey    string `yaml:"secret_key" doc:"secret key of the access key"`
	SessionToken string `yaml:"session_token" doc:"token that belongs to a temporary access key"`
	Anonymous    bool   `yaml:"anonymous" doc:"do not sign requests, for public buckets"`

	Attempts     int           `yaml:"attempts" doc:"how often a request is sent before it counts as failed; 0 = 6"`
	MaxBackoff   time.Duration `yaml:"max_backoff" doc:"the longest pause between two attempts; 0 = 10s"`
	StallTimeout time.Duration `yaml:"stall_timeout" doc:"how long an answer may bring no byte before it is asked for again; 0 = 30s"`
	PartSize     int64         `yaml:"part_size" doc:"objects above this size are uploaded in parts of this size, in bytes; 0 = 16 MiB"`
}

const (
	defaultRegion     = "us-east-1"
	defaultAttempts   = 6
	defaultMaxBackoff = 10 * time.Second
	defaultStall      = 30 * time.Second
	defaultPartSize   = 16 << 20
	minPartSize       = 5 << 20 // of S3, but for the last part
	maxParts          = 10_000  // of S3
	uploadParallel    = 3       // parts in flight, each of which is a buffer in memory
)

// Validate names what cannot work.
func (c Config) Validate() error {
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		switch {
		case err != nil:
			return fmt.Errorf("endpoint: %w", err)
		case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil, u.RawQuery != "":
			return fmt.Errorf("endpoint: %q, must be like https://host:port", u.Redacted())
		}
	}
	switch {
	case (c.AccessKey == "") != (c.SecretKey == ""):
		return errors.New("access_key and secret_key: give both or none")
	case c.Anonymous && c.AccessKey != "":
		return errors.New("anonymous: give no access_key then")
	case c.Attempts < 0 || c.MaxBackoff < 0 || c.StallTimeout < 0:
		return errors.New("attempts, max_backoff and stall_timeout: must not be negative")
	case c.PartSize != 0 && c.PartSize < minPartSize:
		return fmt.Errorf("part_size: %d, must be at least %d", c.PartSize, minPartSize)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Attempts == 0 {
		c.Attempts = defaultAttempts
	}
	if c.MaxBackoff == 0 {
		c.MaxBackoff = defaultMaxBackoff
	}
	if c.StallTimeout == 0 {
		c.StallTimeout = defaultStall
	}
	if c.PartSize == 0 {
		c.PartSize = defaultPartSize
	}
	return c
}

// A name like an ARN or with a slash would lead the SDK to other hosts and other paths.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// CheckBucket refuses what is no name of a bucket
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
func CheckBucket(name string) error {
	if !bucketName.MatchString(name) {
		return fmt.Errorf("%q is no name of a bucket: 3 to 63 lower-case letters, digits, hyphens and dots", name)
	}
	return nil
}
