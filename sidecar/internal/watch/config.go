package watch

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// Config is the section watch of the configuration.
type Config struct {
	Flink           []string      `yaml:"flink" doc:"URLs of the JobManagers of one cluster, such as http://127.0.0.1:8081; empty = the watcher is off"`
	FlinkTLS        TLS           `yaml:"flink_tls" doc:"TLS to the JobManagers, for https URLs"`
	Interval        time.Duration `yaml:"interval" doc:"how often each job is asked for its checkpoints; below 3s Flink answers from its cache"`
	Jobs            []string      `yaml:"jobs" doc:"ids or names of the jobs to follow; empty = all"`
	Savepoints      bool          `yaml:"savepoints" doc:"copy savepoints too; they are noted in any case"`
	Operators       []string      `yaml:"operators" doc:"uids, ids or names of the operators whose state is copied; empty = everything"`
	Dir             string        `yaml:"dir" doc:"folder for the copies and the ledger of them; one sidecar each; empty = checkpoints in data_dir"`
	Retain          int           `yaml:"retain" doc:"how many copies are kept of each job's checkpoints, and as many of its savepoints"`
	RetainEnded     time.Duration `yaml:"retain_ended" doc:"how long the copies of a job are kept that has ended, or that Flink does not list any more"`
	Parallel        int           `yaml:"parallel" doc:"checkpoints that are copied at the same time"`
	Requests        int           `yaml:"requests" doc:"requests to the store at the same time for one checkpoint; each may hold 1 MiB"`
	S3              s3.Config     `yaml:"s3" doc:"how the S3 server of the checkpoints is reached"`
	Allow           []string      `yaml:"allow" doc:"what a checkpoint may refer to, as s3://bucket/prefix or /folder; empty = its own bucket, or its own folder of checkpoints"`
	Map             []string      `yaml:"map" doc:"buckets that are read from a local folder, as s3://bucket=/folder"`
	Lease           Lease         `yaml:"lease" doc:"for several sidecars of one cluster: only the one that holds the lease copies"`
	NotifyTokenFile string        `yaml:"notify_token_file" doc:"file with the bearer token of POST /v1/checkpoints/notify; empty = the webhook is refused"`
}

// TLS is how the JobManagers know each other: Flink's security.ssl.rest.
type TLS struct {
	CAFile         string `yaml:"ca_file" doc:"PEM file of the authorities to trust; empty = those of the system"`
	CertFile       string `yaml:"cert_file" doc:"PEM file of this client's certificate, for security.ssl.rest.authentication-enabled"`
	KeyFile        string `yaml:"key_file" doc:"PEM file of its private key"`
	ServerName     string `yaml:"server_name" doc:"the name that the JobManager's certificate must have; empty = the host of the URL"`
	VerifyHostname bool   `yaml:"verify_hostname" doc:"whether the certificate must be of that name; without, any certificate of the authorities will do (Flink's own default)"`
}

// Lease is where the sidecars agree on one of them.
type Lease struct {
	Object string        `yaml:"object" doc:"the lease, as s3://bucket/key or /folder/file that all sidecars reach; empty = this sidecar is the only one"`
	TTL    time.Duration `yaml:"ttl" doc:"how long the lease of a sidecar that died is respected"`
	Owner  string        `yaml:"owner" doc:"what this sidecar is called in the lease; empty = host name and process id"`
}

// DefaultConfig is off. Once it has a JobManager, it copies everything of every job.
func DefaultConfig() Config {
	c := checkpoint.DefaultConfig()
	return Config{
		FlinkTLS: TLS{VerifyHostname: true},
		Interval: c.Interval, Retain: c.Retain, RetainEnded: c.RetainEnded, Parallel: c.Parallel, Requests: 8,
		Lease: Lease{TTL: 15 * time.Second},
	}
}

// On says whether there is anything to watch.
func (c Config) On() bool { return len(c.Flink) > 0 }

func (c Config) checkpoints() checkpoint.Config {
	return checkpoint.Config{
		Interval: c.Interval, Jobs: c.Jobs, Savepoints: c.Savepoints,
		Retain: c.Retain, RetainEnded: c.RetainEnded, Parallel: c.Parallel,
	}
}

func (c Config) places() locate.Config { return locate.Config{S3: c.S3, Allow: c.Allow, Map: c.Map} }

// Folder is where the copies stand; "" if neither this section nor data_dir says.
func (c Config) Folder(dataDir string) string {
	if c.Dir == "" && dataDir != "" {
		return filepath.Join(dataDir, "checkpoints")
	}
	return c.Dir
}

// Validate returns everything that cannot work, joined.
func (c Config) Validate() error {
	var errs []error
	add := func(bad bool, format string, a ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, a...))
		}
	}
	secure := false
	for _, address := range c.Flink {
		u, err := url.Parse(address)
		ok := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
		add(!ok, "flink: %q, must be like http://host:8081", redacted(u, address))
		secure = secure || ok && u.Scheme == "https"
	}
	t := c.FlinkTLS
	add((t.CertFile == "") != (t.KeyFile == ""), "flink_tls: cert_file and key_file go together, one of them is missing")
	add(c.On() && !secure && (t.CAFile != "" || t.CertFile != "" || t.ServerName != ""), "flink_tls: is set and no URL of flink begins with https://")
	add(!t.VerifyHostname && t.ServerName != "", "flink_tls: server_name is not looked at without verify_hostname")
	add(slices.Contains(c.Operators, ""), "operators: has an empty entry; leave the key out to copy everything")
	add(c.Requests < 1, "requests: %d, must be at least 1", c.Requests)
	add(c.Lease.TTL < minTTL, "lease.ttl: %s, must be at least %s, or a slow answer of the store loses the lease", c.Lease.TTL, minTTL)
	if c.Lease.Object != "" {
		at, err := metadata.ParseLocation(c.Lease.Object)
		add(err != nil || !at.IsS3() && !at.IsLocal(), "lease.object: %q, must be like s3://bucket/key or /folder/file", c.Lease.Object)
	}
	if err := c.S3.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("s3.%w", err))
	}
	if err := c.places().Validate(); err != nil {
		key, message, _ := strings.Cut(err.Error(), " ") // allow "x": ...
		errs = append(errs, fmt.Errorf("%s: %s", key, message))
	}
	return errors.Join(append(errs, c.checkpoints().Validate())...)
}

// minTTL leaves room for a few attempts to renew.
const minTTL = 2 * time.Second

// redacted is an address without the password that should not be in it.
func redacted(u *url.URL, address string) string {
	if u == nil {
		return address
	}
	return u.Redacted()
}
