// Package cluster runs a Flink cluster for development, without Docker: a JobManager, a TaskManager and an S3 server as real
// processes on the loopback address, with logs and state in one folder. What an earlier, crashed run left is ended first.
package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gofrs/flock"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// Options of a new cluster.
type Options struct {
	Dir      string            // state, logs and data of the cluster; absolute
	Slots    int               // of the one TaskManager
	KeepData bool              // keep the checkpoints of an earlier run
	Tied     bool              // the processes end with this one, even by kill -9
	AnyPorts bool              // do not try the usual ports first
	Config   map[string]string // further Flink configuration
	Lib      []string          // jars for the class path of every process, as in the folder lib of a Flink distribution
	Flags    []string          // further flags of Flink's JVMs
	Progress func(string)      // told what happens
}

// State is what is known of a cluster, as state.json in its folder holds it.
type State struct {
	Dir       string    `json:"dir"`
	Flink     string    `json:"flink_url"`
	S3        string    `json:"s3_url"`
	AccessKey string    `json:"s3_access_key"`
	SecretKey string    `json:"s3_secret_key"`
	Bucket    string    `json:"s3_bucket"`
	Data      string    `json:"s3_folder"` // objects are plain files below it
	Sidecar   *Sidecar  `json:"sidecar,omitempty"`
	Started   time.Time `json:"started"`
}

// Sidecar is where a sidecar listens.
type Sidecar struct {
	HTTP  string `json:"http"`
	GRPC  string `json:"grpc"`
	Admin string `json:"admin"`
	PID   int    `json:"pid"`
}

// Names of the processes.
const (
	NameS3          = "s3"
	NameJobManager  = "jobmanager"
	NameTaskManager = "taskmanager"
	NameSidecar     = "sidecar"
)

// order of the start; processes end in the reverse one.
var order = []string{NameS3, NameJobManager, NameTaskManager, NameSidecar}

// patience of everything that takes seconds on an idle machine.
const patience = 90 * time.Second

// Cluster is a running cluster that this process started or found.
type Cluster struct {
	State
	options Options
	spawner *spawner
	home    string
	java    string
	s3      string

	processes map[string]*process // those that this program started
}

// Up starts a cluster and waits until all of it answers. If it is up already, it is returned with already = true.
func Up(ctx context.Context, o Options) (c *Cluster, already bool, err error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, false, err
	}
	unlock, err := lockDir(ctx, o.Dir)
	if err != nil {
		return nil, false, err
	}
	defer unlock()

	alive, err := find(o.Dir)
	if err != nil {
		return nil, false, err
	}
	if state, err := Load(o.Dir); err == nil && len(alive[NameS3]) > 0 && len(alive[NameJobManager]) > 0 && len(alive[NameTaskManager]) > 0 {
		if _, err := flinkrest.New(state.Flink).Overview(ctx); err == nil {
			c := &Cluster{State: state, options: o, spawner: newSpawner(o.Tied), processes: map[string]*process{}}
			return c, true, nil
		}
	}
	if len(alive) > 0 {
		o.Progress("ending what an earlier run left")
		if err := end(o.Dir, alive); err != nil {
			return nil, false, err
		}
	}
	c = &Cluster{options: o, spawner: newSpawner(o.Tied), processes: map[string]*process{}}
	if err := c.prepare(ctx); err != nil {
		return nil, false, err
	}
	// A port can be taken by somebody else between its choice and its use. Then others are chosen.
	for attempt := 1; ; attempt++ {
		err := c.up(ctx, !o.AnyPorts && attempt == 1)
		if err == nil {
			return c, false, nil
		}
		alive, findErr := find(o.Dir)
		err = errors.Join(err, findErr, end(o.Dir, alive))
		if attempt == 3 || !errors.Is(err, errPortTaken) {
			return nil, false, err
		}
	}
}

// prepare makes ready what the processes are started from.
func (c *Cluster) prepare(ctx context.Context) (err error) {
	root, err := Root()
	if err != nil {
		return err
	}
	if c.java, err = findJava(ctx); err != nil {
		return err
	}
	if c.home, err = Home(ctx, root, c.options.Progress); err != nil {
		return err
	}
	c.s3, err = buildS3(ctx, root)
	return err
}

func (c *Cluster) up(ctx context.Context, usualPorts bool) error {
	if err := c.clear(); err != nil {
		return err
	}
	p, err := choosePorts(usualPorts)
	if err != nil {
		return err
	}
	if err := writeConfig(c.options.Dir, flinkConfig(c.options.Dir, p, c.options.Slots, c.options.Config)); err != nil {
		return err
	}
	c.State = State{
		Dir: c.options.Dir, Flink: endpoint(p.rest), S3: endpoint(p.s3), AccessKey: accessKey, SecretKey: secretKey,
		Bucket: bucket, Data: filepath.Join(c.options.Dir, "s3"), Started: time.Now().UTC().Truncate(time.Second),
	}
	if err := c.save(); err != nil {
		return err
	}
	c.options.Progress("starting S3, JobManager and TaskManager")
	if err := c.StartS3(ctx); err != nil {
		return err
	}
	if err := c.StartJobManager(ctx); err != nil {
		return err
	}
	return c.StartTaskManager(ctx)
}

// clear removes what an earlier run left in the folder.
func (c *Cluster) clear() error {
	old := []string{"conf", "lib", "logs", "tmp", "state.json"}
	if !c.options.KeepData {
		old = append(old, "s3", "out", "watch")
	}
	for _, name := range old {
		if err := os.RemoveAll(filepath.Join(c.options.Dir, name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"lib", "logs", "tmp", "s3"} {
		if err := os.MkdirAll(filepath.Join(c.options.Dir, name), 0o755); err != nil {
			return err
		}
	}
	for _, jar := range c.options.Lib {
		// A copy: the class path of a running JVM must not change under it when the jar is built again.
		if err := copyFile(jar, filepath.Join(c.options.Dir, "lib", filepath.Base(jar))); err != nil {
			return fmt.Errorf("lib: %w", err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

func (c *Cluster) save() error {
	text, err := json.MarshalIndent(c.State, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(c.Dir, "state.json")
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (c *Cluster) start(name string, environ []string, command string, args ...string) (*process, error) {
	p, err := c.spawner.start(c.Dir, name, environ, command, args...)
	if err == nil {
		c.processes[name] = p
	}
	return p, err
}

// Dead returns an error if a process that this program started last under its name has ended, with the end of its log.
func (c *Cluster) Dead() error {
	for _, name := range order {
		if p := c.processes[name]; p != nil {
			if err := p.died(); err != nil {
				return err
			}
		}
	}
	return nil
}

// mine is an error while not this process but somebody else listens at the URL.
func (p *process) mine(at string) error {
	u, err := url.Parse(at)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return err
	}
	if !listens(p.pid, port) {
		return fmt.Errorf("%s: another program answers there", at)
	}
	return nil
}

// StartS3 starts the S3 server and waits until it answers.
func (c *Cluster) StartS3(ctx context.Context) error {
	p, err := c.start(NameS3, []string{"S3_ACCESS_KEY=" + accessKey, "S3_SECRET_KEY=" + secretKey},
		c.s3, "--addr", c.S3[len("http://"):], "--dir", c.Data, "--bucket", bucket)
	if err != nil {
		return err
	}
	return p.await(ctx, patience, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.S3, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return cmp.Or(resp.Body.Close(), p.mine(c.S3)) // any answer will do: without credentials it is 403
	})
}

func (c *Cluster) flinkEnviron() []string {
	return []string{"FLINK_CONF_DIR=" + filepath.Join(c.Dir, "conf"), "FLINK_PLUGINS_DIR=" + filepath.Join(c.home, "plugins")}
}

// StartJobManager starts the JobManager and waits until its REST API answers.
func (c *Cluster) StartJobManager(ctx context.Context) error {
	p, err := c.start(NameJobManager, c.flinkEnviron(), c.java, jobManager(c.home, c.Dir, c.options.Flags)...)
	if err != nil {
		return err
	}
	return p.await(ctx, patience, func(ctx context.Context) error {
		if _, err := flinkrest.New(c.Flink).Overview(ctx); err != nil {
			return err
		}
		return p.mine(c.Flink)
	})
}

// StartTaskManager starts the TaskManager and waits until its slots are offered.
func (c *Cluster) StartTaskManager(ctx context.Context) error {
	p, err := c.start(NameTaskManager, c.flinkEnviron(), c.java, taskManager(c.home, c.Dir, c.options.Slots, c.options.Flags)...)
	if err != nil {
		return err
	}
	return p.await(ctx, patience, func(ctx context.Context) error {
		o, err := flinkrest.New(c.Flink).Overview(ctx)
		if err == nil && o.SlotsTotal < c.options.Slots {
			err = fmt.Errorf("%d of %d slots", o.SlotsTotal, c.options.Slots)
		}
		return err
	})
}

// WatchFlags are the flags of a sidecar that is to watch this cluster's checkpoints; its copies of them are in the cluster's
// folder.
func (c *Cluster) WatchFlags() []string {
	return []string{
		"--watch-flink", c.Flink, "--watch-dir", filepath.Join(c.Dir, "watch"), "--watch-interval", "1s",
		"--watch-s3-endpoint", c.S3, "--watch-s3-path-style", "--watch-s3-region", region,
	}
}

// StartSidecar starts `binary serve` with the further arguments, and waits until it is ready. Without an address among
// the arguments it listens on free ports. The keys of the cluster's S3 are in its environment.
func (c *Cluster) StartSidecar(ctx context.Context, binary string, args ...string) (Sidecar, error) {
	s, err := c.StartSidecarAs(ctx, NameSidecar, binary, args...)
	if err != nil {
		return s, err
	}
	c.Sidecar = &s
	return s, c.save()
}

// StartSidecarAs starts one of several sidecars, under a name of its own.
func (c *Cluster) StartSidecarAs(ctx context.Context, name, binary string, args ...string) (Sidecar, error) {
	ready := filepath.Join(c.Dir, "tmp", name+"-ready.json")
	if err := os.Remove(ready); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Sidecar{}, err
	}
	all := append([]string{
		"serve", "--ready-file", ready, "--http-addr", host + ":0", "--grpc-addr", host + ":0", "--admin-addr", host + ":0",
	}, args...) // a flag given twice counts as given last
	keys := []string{"AWS_ACCESS_KEY_ID=" + c.AccessKey, "AWS_SECRET_ACCESS_KEY=" + c.SecretKey, "AWS_SESSION_TOKEN="}
	p, err := c.start(name, keys, binary, all...)
	if err != nil {
		return Sidecar{}, err
	}
	var s Sidecar
	err = p.await(ctx, patience, func(context.Context) error {
		text, err := os.ReadFile(ready)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &s)
	})
	return s, err
}

// Kill ends one process of the cluster as a crash would, and waits until it is gone.
func (c *Cluster) Kill(name string) error {
	alive, err := find(c.Dir)
	if err != nil {
		return err
	}
	if len(alive[name]) == 0 {
		return fmt.Errorf("%s does not run", name)
	}
	return kill(alive[name], c.Dir)
}

// PIDs returns the living processes, by name.
func (c *Cluster) PIDs() (map[string][]int, error) { return find(c.Dir) }

// Down ends a cluster by its folder; logs and data stay. It says whether anything ran.
func Down(ctx context.Context, dir string) (ran bool, err error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	unlock, err := lockDir(ctx, dir)
	if err != nil {
		return false, err
	}
	defer unlock()
	alive, err := find(dir)
	if err != nil {
		return false, err
	}
	if err := end(dir, alive); err != nil {
		return true, err
	}
	if err := os.Remove(filepath.Join(dir, "state.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return true, err
	}
	return len(alive) > 0, nil
}

// end ends processes in the reverse order of their start.
func end(dir string, alive map[string][]int) error {
	var errs []error
	for name, pids := range alive { // further sidecars
		if !slices.Contains(order, name) {
			errs = append(errs, terminate(pids, dir, 15*time.Second))
		}
	}
	for _, name := range slices.Backward(order) {
		errs = append(errs, terminate(alive[name], dir, 15*time.Second))
	}
	return errors.Join(errs...)
}

// Load reads the state of a cluster.
func Load(dir string) (State, error) {
	var s State
	text, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// ProcessStatus is one line of Status.
type ProcessStatus struct {
	Name string `json:"name"`
	PID  int    `json:"pid,omitempty"` // 0 = does not run
	URL  string `json:"url,omitempty"`
	Log  string `json:"log,omitempty"`
}

// Status says which processes of a cluster run.
func Status(dir string) ([]ProcessStatus, error) {
	alive, err := find(dir)
	if err != nil {
		return nil, err
	}
	state, err := Load(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	urls := map[string]string{NameS3: state.S3, NameJobManager: state.Flink}
	names := slices.Clone(order[:3])
	if state.Sidecar != nil || len(alive[NameSidecar]) > 0 {
		names = append(names, NameSidecar)
		if state.Sidecar != nil {
			urls[NameSidecar] = "http://" + state.Sidecar.HTTP
		}
	}
	var status []ProcessStatus
	for _, name := range names {
		s := ProcessStatus{Name: name}
		if pids := alive[name]; len(pids) > 0 {
			s.PID, s.URL, s.Log = pids[0], urls[name], filepath.Join(dir, "logs", name+".log")
		}
		status = append(status, s)
	}
	return status, nil
}

// lockDir keeps two commands on one cluster apart. It waits for the other one.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	return lockFile(ctx, filepath.Join(dir, "lock"))
}

func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	lock := flock.New(path)
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return nil, fmt.Errorf("wait for another command that holds %s: %w", path, err)
	}
	return func() { _ = lock.Unlock() }, nil
}
