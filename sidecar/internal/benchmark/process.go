package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under test.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	addr  string // data port
	admin string
}

// start runs the command; Stop ends it. Its log goes to a file that is named when it dies.
func start(dir, name string, args ...string) (*process, error) {
	log, err := os.CreateTemp(dir, filepath.Base(name)+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Stderr = log
	if len(args) > 0 && args[0] == "echo" {
		return startEcho(cmd)
	}
	cmd.Stdout = log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, ended: wait(cmd)}, nil
}

func wait(cmd *exec.Cmd) chan struct{} {
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	return ended
}

func startEcho(cmd *exec.Cmd) (*process, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("echo server: %w", err)
	}
	return &process{cmd: cmd, ended: wait(cmd), addr: strings.TrimSpace(line)}, nil
}

// startSidecar starts a sidecar on free ports and waits until it is ready.
func startSidecar(ctx context.Context, dir, binary string, args ...string) (*process, error) {
	ready := filepath.Join(dir, fmt.Sprintf("ready-%d.json", time.Now().UnixNano()))
	p, err := start(dir, binary, append([]string{
		"serve", "--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
		"--ready-file", ready, "--log-level", "warn",
	}, args...)...)
	if err != nil {
		return nil, err
	}
	if err := p.awaitReady(ctx, ready); err != nil {
		p.stop()
		return nil, fmt.Errorf("%w; the log of the sidecar is in %s", err, dir)
	}
	return p, nil
}

// awaitReady waits for the ready file of drey, and takes the addresses from it.
func (p *process) awaitReady(ctx context.Context, ready string) error {
	for {
		if text, err := os.ReadFile(ready); err == nil {
			var bound struct{ HTTP, Admin string }
			if err := json.Unmarshal(text, &bound); err != nil {
				return fmt.Errorf("ready file: %w", err)
			}
			p.addr, p.admin = bound.HTTP, bound.Admin
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("drey ended at once: %s", p.cmd.ProcessState)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// cpuSeconds is the processor time a process has used so far (Linux: fields 14 and 15 of /proc/PID/stat, in ticks of
// 10 ms).
func cpuSeconds(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100, err
}

// heapBytes is what a sidecar's heap holds after a garbage collection.
func (p *process) heapBytes() (float64, error) {
	resp, err := http.Get("http://" + p.admin + "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(text), "# HeapAlloc = ")
	if !ok {
		return 0, fmt.Errorf("no HeapAlloc in the heap profile (status %s)", resp.Status)
	}
	value, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseFloat(value, 64)
}
