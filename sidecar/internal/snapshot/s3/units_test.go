package s3

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestBucketNames(t *testing.T) {
	for name, good := range map[string]bool{
		"flink": true, "a.b-c": true, "123": true, "": false, "ab": false, "a/b": false, "A": false, "..": false, "a@b.example": false,
		"arn:aws:s3:us-east-1:123456789012:accesspoint/x": false, "evil.example/": false, "a\nb": false, "abc\n": false, "a%2fb": false, "-ab": false,
	} {
		if err := CheckBucket(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		good   bool
	}{
		"zero":            {Config{}, true},
		"endpoint":        {Config{Endpoint: "https://s3.example:9000"}, true},
		"no scheme":       {Config{Endpoint: "s3.example:9000"}, false},
		"credentials":     {Config{Endpoint: "https://user:password@s3.example"}, false},
		"half a key":      {Config{AccessKey: "a"}, false},
		"nobody with key": {Config{AccessKey: "a", SecretKey: "b", Anonymous: true}, false},
		"small parts":     {Config{PartSize: 1 << 20}, false},
		"negative":        {Config{Attempts: -1}, false},
	} {
		if err := c.config.Validate(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChecksum(t *testing.T) {
	for _, c := range []struct {
		kind types.ChecksumType
		sums sums
		want string
	}{
		{types.ChecksumTypeFullObject, sums{aws.String("yZRlqg==")}, "CRC32C:c99465aa"},
		{"", sums{nil, nil, nil, aws.String("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")}, "SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{types.ChecksumTypeComposite, sums{aws.String("yZRlqg==")}, ""},
		{"", sums{aws.String("yZRlqg==-3")}, ""},
		{"", sums{aws.String("yZRl")}, ""},
		{"", sums{aws.String("?")}, ""},
		{"", sums{}, ""},
	} {
		if got := checksum(c.kind, c.sums).String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, text := range []string{"bytes 0-9/100", "bytes */100", "bytes 0-9/*", "bytes -1-2/3", "", "bytes 9223372036854775807-0/9223372036854775807"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, size, err := parseContentRange(text)
		if err == nil && (first < 0 || size < first) {
			t.Errorf("%q is taken as %d of %d", text, first, size)
		}
	})
}
