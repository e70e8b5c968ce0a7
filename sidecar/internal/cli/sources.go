package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// sources says where a command finds jobs and checkpoints: Flink, a sidecar that watches, and the stores.
type sources struct {
	flink  []string
	server string
	dev    bool
	job    string
	store  locate.Config
}

// askFlags are those of commands that ask Flink or a sidecar.
func (s *sources) askFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.flink, "flink", nil, "`URL` of Flink's REST API, such as http://127.0.0.1:8081; may be given again for other JobManagers")
	cmd.Flags().StringVar(&s.server, "server", "", "ask this sidecar, which watches (http://host:port or unix:/path; or the variable DREY_SERVER)")
	cmd.Flags().BoolVar(&s.dev, "dev", false, "take Flink, sidecar and S3 of the cluster that drey dev up or the demo started")
}

// storeFlags are those of commands that read checkpoints. Keys are not among them: a command line is seen by others.
func (s *sources) storeFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&s.store.S3.Endpoint, "s3-endpoint", "", "`URL` of the S3 server; empty = AWS, or AWS_ENDPOINT_URL_S3")
	flags.StringVar(&s.store.S3.Region, "s3-region", "", "region; empty = that of the environment")
	flags.BoolVar(&s.store.S3.PathStyle, "s3-path-style", false, "put the bucket into the path and not into the host name")
	flags.BoolVar(&s.store.S3.Anonymous, "s3-anonymous", false, "do not sign requests, for public buckets")
	flags.StringArrayVar(&s.store.Allow, "allow", nil, "`prefix` that the checkpoint may refer to, as s3://bucket/prefix or /folder; may be given again; without it: its own bucket, or its own folder")
	flags.StringArrayVar(&s.store.Map, "map", nil, "read a bucket from a local copy, as `s3://BUCKET=DIR`; may be given again")
	flags.StringVar(&s.job, "job", "", "id or name of the job that a checkpoint id is of; needed if there are several")
}

// storesHelp is part of the help of commands with storeFlags.
const storesHelp = `
A checkpoint is named by its folder or its _metadata file, on S3 (s3://, s3a://, s3p://) or local; or, with --flink, --server or
--dev, by its id, or "latest". The keys for S3 are those of the AWS SDK: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a
profile, or the machine's role.`

// complete takes in the environment and --dev.
func (s *sources) complete(p *program) error {
	s.server = p.server(s.server)
	s.store.S3.Attempts = 3 // somebody waits for the answer
	if !s.dev {
		return nil
	}
	dir, err := clusterDir("")
	if err != nil {
		return err
	}
	state, err := cluster.Load(dir)
	if err != nil {
		return fmt.Errorf("no cluster in %s: start it with drey dev up", dir)
	}
	if len(s.flink) == 0 {
		s.flink = []string{state.Flink}
	}
	if s.server == "" && state.Sidecar != nil {
		s.server = state.Sidecar.HTTP
	}
	if s.store.S3.Endpoint == "" {
		s.store.S3.Endpoint, s.store.S3.PathStyle = state.S3, true
		s.store.S3.AccessKey, s.store.S3.SecretKey = state.AccessKey, state.SecretKey
	}
	return nil
}

var errNobodyToAsk = usageError{errors.New("say whom to ask: --flink URL, --server URL or --dev")}

func (s *sources) client() (*flinkrest.Client, error) {
	if len(s.flink) == 0 {
		return nil, errNobodyToAsk
	}
	for _, address := range s.flink {
		if u, err := url.Parse(address); err != nil || u.Host == "" {
			return nil, usageError{fmt.Errorf("--flink %q: must be http://host:port", address)}
		}
	}
	return flinkrest.New(s.flink...), nil
}

// findJob finds the job that a person means: by id, by name, or the only one that has not ended.
func (s *sources) findJob(ctx context.Context, flink *flinkrest.Client) (flinkrest.JobSummary, error) {
	jobs, err := flink.Jobs(ctx)
	if err != nil {
		return flinkrest.JobSummary{}, err
	}
	var found []flinkrest.JobSummary
	var names []string
	for _, j := range jobs {
		names = append(names, j.ID+" ("+j.Name+")")
		if s.job == j.ID || s.job == j.Name || s.job == "" && !j.State.Ended() {
			found = append(found, j)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && len(jobs) == 0:
		return flinkrest.JobSummary{}, errors.New("flink has no job; drey jobs list shows them")
	case len(found) == 0:
		return flinkrest.JobSummary{}, fmt.Errorf("no such job; say --job with one of %s", strings.Join(names, ", "))
	}
	return flinkrest.JobSummary{}, fmt.Errorf("there are several jobs; say --job with one of %s", strings.Join(names, ", "))
}

// open opens the checkpoint that a person names. The locator is the caller's to close.
func (s *sources) open(ctx context.Context, p *program, name string) (*contents.Checkpoint, *locate.Locator, error) {
	if err := s.complete(p); err != nil {
		return nil, nil, err
	}
	at, err := s.find(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if err := s.store.Validate(); err != nil {
		return nil, nil, usageError{err}
	}
	files, err := locate.New(s.store)
	if err != nil {
		return nil, nil, err
	}
	if at.IsLocal() {
		files = files.WithMap(contents.CopiedBuckets(at.Path))
	}
	c, err := contents.Open(ctx, files, at)
	if err != nil {
		return nil, nil, errors.Join(err, files.Close())
	}
	return c, files, nil
}

const latest = "latest"

// find answers with the folder or the file that a name stands for.
func (s *sources) find(ctx context.Context, name string) (metadata.Location, error) {
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil && name != latest {
		return parsePlace(name)
	}
	path := ""
	switch {
	case len(s.flink) > 0:
		path, err = s.pathFromFlink(ctx, name, id)
	case s.server != "":
		path, err = s.pathFromSidecar(ctx, name, id)
	default:
		return metadata.Location{}, usageError{fmt.Errorf("%s is an id: say whom to ask with --flink URL, --server URL or --dev, or give its path", name)}
	}
	if err != nil {
		return metadata.Location{}, err
	}
	return metadata.ParseLocation(path)
}

// parsePlace reads a URL or a local path, also a relative one.
func parsePlace(name string) (metadata.Location, error) {
	if !strings.Contains(name, ":") {
		absolute, err := filepath.Abs(name)
		if err != nil {
			return metadata.Location{}, err
		}
		if _, err := os.Stat(absolute); err != nil {
			return metadata.Location{}, fmt.Errorf("%w; a checkpoint is a folder with _metadata, such a file, an s3:// URL or an id", err)
		}
		name = absolute
	}
	return metadata.ParseLocation(strings.TrimRight(name, "/"))
}

func (s *sources) pathFromFlink(ctx context.Context, name string, id int64) (string, error) {
	flink, err := s.client()
	if err != nil {
		return "", err
	}
	job, err := s.findJob(ctx, flink)
	if err != nil {
		return "", err
	}
	all, err := flink.Checkpoints(ctx, job.ID)
	if err != nil {
		return "", err
	}
	if name == latest {
		if all.Latest.Completed == nil {
			return "", fmt.Errorf("job %s has completed no checkpoint yet", job.ID)
		}
		return all.Latest.Completed.ExternalPath, nil
	}
	// Not asked for by its id: Flink answers with another job's checkpoint of the same number when it does not show this one (its
	// CheckpointStatsCache is one for all jobs, by number).
	for _, c := range remembered(all) {
		switch {
		case c.ID != id:
		case c.ExternalPath == "":
			return "", fmt.Errorf("checkpoint %d is %s and has no path", id, c.Status)
		default:
			return c.ExternalPath, nil
		}
	}
	return "", fmt.Errorf("flink does not know checkpoint %d of job %s: it remembers the last 10 (web.checkpoints.history); give its path", id, job.ID)
}

func (s *sources) pathFromSidecar(ctx context.Context, name string, id int64) (string, error) {
	records, err := s.records(ctx, 0)
	if err != nil {
		return "", err
	}
	jobs := map[string]bool{}
	path := ""
	for _, r := range records { // newest first
		if name != latest && r.ID != id || name == latest && r.Savepoint {
			continue
		}
		if path == "" {
			path = r.Path
		}
		jobs[r.Job] = true
	}
	switch {
	case path == "":
		return "", fmt.Errorf("the sidecar knows no checkpoint %s; drey checkpoints list shows them", name)
	case len(jobs) > 1:
		return "", fmt.Errorf("several jobs have a checkpoint %s; say --job", name)
	}
	return path, nil
}

// records are what the sidecar knows of checkpoints, the newest first; all of them if limit is 0.
func (s *sources) records(ctx context.Context, limit int) ([]checkpoint.Record, error) {
	c, err := newClient(s.server)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if s.job != "" {
		query.Set("job", s.job)
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var document struct {
		Checkpoints []checkpoint.Record `json:"checkpoints"`
	}
	return document.Checkpoints, c.get(ctx, "/v1/checkpoints?"+query.Encode(), &document)
}
