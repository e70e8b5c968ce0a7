package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
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
func terminate(pids []int, dir string, patience time.Duration) error {
	signal(pids, dir, syscall.SIGTERM)
	for end := time.Now().Add(patience); alive(pids, dir) && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	return kill(pids, dir)
}

// ErrNotEnded is about a process that cannot be ended.
var ErrNotEnded = errors.New("a process does not end")

// kill ends processes as a crash would, and waits until they are gone. It gives up on one that the kernel does not let
// go (a disk that does not answer).
func kill(pids []int, dir string) error {
	for end := time.Now().Add(10 * time.Second); alive(pids, dir); {
		if time.Now().After(end) {
			return fmt.Errorf("%w: at least one of %v, not even by SIGKILL", ErrNotEnded, pids)
		}
		signal(pids, dir, syscall.SIGKILL)
		time.Sleep(5 * time.Millisecond)
	}
	return nil
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
// a goroutine which lives as long as the program, for the runtime would end the thread with it. So even kill -9 of the
// program leaves nothing behind.
type spawner struct {
	requests chan func() // unbuffered; nil when not tied
}

func newSpawner(tied bool) *spawner {
	if !tied {
		return &spawner{}
	}
	s := &spawner{requests: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for start := range s.requests {
			start()
		}
	}()
	return s
}

func (s *spawner) tied() bool { return s.requests != nil }

func (s *spawner) run(cmd *exec.Cmd) error {
	if !s.tied() {
		return cmd.Start()
	}
	started := make(chan error, 1)
	s.requests <- func() { started <- cmd.Start() }
	return <-started
}

// process is a child.
type process struct {
	name  string
	pid   int
	log   string
	ended chan struct{}
}

// start runs a command of a cluster with its output in logs/NAME.log.
func (s *spawner) start(dir, name string, environ []string, command string, args ...string) (*process, error) {
	path := filepath.Join(dir, "logs", name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(command, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), append(environ, markDir+"="+dir, markName+"="+name)...)
	cmd.SysProcAttr = attributes(s.tied())
	if err := s.run(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, pid: cmd.Process.Pid, log: path, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // a TaskManager that is told to end exits with a code of its own: the log says why
		close(p.ended)
	}()
	return p, nil
}

var (
	errPortTaken = errors.New("its port was taken")
	// What the S3 server and Flink say (netty for REST, pekko for RPC).
	portTaken = regexp.MustCompile(`(?i)address already in use|BindException|on any port in port range`)
)

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
			said := p.said()
			err := fmt.Errorf("%s ended at once; from %s:\n%s", p.name, filepath.Base(p.log), excerpt(said))
			if portTaken.Match(said) {
				err = fmt.Errorf("%w: %w", errPortTaken, err)
			}
			return err
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; from %s:\n%s", p.name, err, filepath.Base(p.log), excerpt(p.said()))
		case <-time.After(wait):
		}
	}
}

// died returns an error with the end of the log if the process has ended.
func (p *process) died() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s has died; from %s:\n%s", p.name, filepath.Base(p.log), excerpt(p.said()))
	default:
		return nil
	}
}

// said is what the process wrote in its log; of a very long one, the end.
func (p *process) said() []byte {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	const most = 1 << 20
	return text[max(0, len(text)-most):]
}

// reason matches the lines of a Java log that say why: a process that ends by itself has more to say after them (Flink
// prints the stack of every thread).
var reason = regexp.MustCompile(`(?m)^(.* (ERROR|FATAL) .*|Caused by: .*|panic: .*|fatal error: .*)$`)

// excerpt is what tells most of a log: the last lines that give a reason, and the end.
func excerpt(text []byte) string {
	const reasons, end = 8, 10
	found := reason.FindAll(text, -1)
	var lines []string
	for _, line := range found[max(0, len(found)-reasons):] {
		lines = append(lines, string(line))
	}
	if len(lines) > 0 {
		lines = append(lines, "...")
	}
	lines = append(lines, strings.Split(tail(text, end), "\n")...)
	const width = 240
	for i, line := range lines {
		if len(line) > width {
			lines[i] = strings.ToValidUTF8(line[:width], "") + "..."
		}
	}
	return strings.Join(lines, "\n")
}
