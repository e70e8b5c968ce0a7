package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Every process of a cluster carries the cluster's folder and its own name in its environment. So what belongs to a
// cluster can be told from /proc alone: also after a crash at any moment, and never mistaken for another process that
// got the same pid later.
const (
	markDir  = "DREYDEV_CLUSTER_DIR"
	markName = "DREYDEV_CLUSTER_PROCESS"
)

// find returns the pids of the living processes of a cluster, by name.
func find(dir string) (map[string][]int, error) {
	if runtime.GOOS != "linux" {
		return nil, errors.New("the development cluster needs Linux; elsewhere use docker compose up (docker-compose.yml)")
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	found := map[string][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if name := nameOf(pid, dir); name != "" {
			found[name] = append(found[name], pid)
		}
	}
	return found, nil
}

// nameOf returns the name of a process in the cluster, or "" if it is not one of its living processes.
func nameOf(pid int, dir string) string {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil { // of another user, or just ended; a zombie's is empty
		return ""
	}
	var mine bool
	var name string
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if string(variable) == markDir+"="+dir {
			mine = true
		} else if value, ok := bytes.CutPrefix(variable, []byte(markName+"=")); ok {
			name = string(value)
		}
	}
	if !mine {
		return ""
	}
	return name
}

// terminate ends processes: TERM, and KILL for those that have not ended after the patience.
func terminate(pids []int, dir string, patience time.Duration) {
	signal(pids, dir, syscall.SIGTERM)
	for end := time.Now().Add(patience); alive(pids, dir) && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	kill(pids, dir)
}

// kill ends processes as a crash would, and waits until they are gone.
func kill(pids []int, dir string) {
	signal(pids, dir, syscall.SIGKILL)
	for alive(pids, dir) {
		time.Sleep(5 * time.Millisecond)
	}
}

func signal(pids []int, dir string, s syscall.Signal) {
	for _, pid := range pids {
		if nameOf(pid, dir) != "" { // the pid may be another process's by now
			_ = syscall.Kill(pid, s)
		}
	}
}

func alive(pids []int, dir string) bool {
	return slices.ContainsFunc(pids, func(pid int) bool { return nameOf(pid, dir) != "" })
}

// spawner starts processes. When tied, the kernel ends them with the thread that started them; that thread is locked to
// this goroutine, which lives as long as the program: so even kill -9 leaves nothing behind.
type spawner struct {
	requests chan func()
}

func newSpawner(tied bool) *spawner {
	s := &spawner{requests: make(chan func())}
	go func() {
		if tied {
			runtime.LockOSThread()
		}
		for start := range s.requests {
			start()
		}
	}()
	return s
}

// process is a child.
type process struct {
	name  string
	pid   int
	log   string
	ended chan struct{}
}

// start runs a command of a cluster with its output in logs/NAME.log.
func (s *spawner) start(dir, name string, tied bool, environ []string, command string, args ...string) (*process, error) {
	path := filepath.Join(dir, "logs", name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(command, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), append(environ, markDir+"="+dir, markName+"="+name)...)
	cmd.SysProcAttr = attributes(tied)
	started := make(chan error)
	s.requests <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, pid: cmd.Process.Pid, log: path, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // a TaskManager that is told to end exits with a code of its own: the log says why
		close(p.ended)
	}()
	return p, nil
}

// await polls until ready says nil, the process dies, or the context ends.
func (p *process) await(ctx context.Context, patience time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended at once; the end of %s:\n%s", p.name, p.log, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; the end of %s:\n%s", p.name, err, p.log, p.tail())
		case <-time.After(wait):
		}
	}
}

func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return tail(text, 20)
}
