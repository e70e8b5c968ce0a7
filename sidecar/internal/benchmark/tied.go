package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// tied is a child process that ends with the context, and with this process however that ends: a benchmark that is
// interrupted leaves nothing behind that would disturb the next one.
type tied struct {
	*process
	log string
}

// tie starts a command that exec.CommandContext has made. Its standard error goes to a file in dir.
func tie(dir string, cmd *exec.Cmd) (*tied, error) {
	log, err := os.CreateTemp(dir, filepath.Base(cmd.Path)+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr, cmd.SysProcAttr = log, tiedAttributes()
	cmd.WaitDelay = 10 * time.Second // a child of the child may hold the pipe
	t := &tied{process: &process{cmd: cmd, ended: make(chan struct{})}, log: log.Name()}
	started := make(chan error, 1)
	go func() {
		// The kernel ends the child with the thread that has started it: this one, which lasts as long as the child.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in cmd.ProcessState
		}
		close(t.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return t, nil
}

// died says how the child ended and what it said last.
func (t *tied) died() error {
	text, err := os.ReadFile(t.log)
	return errors.Join(fmt.Errorf("%s: %s\n%s", filepath.Base(t.cmd.Path), t.cmd.ProcessState, tail(string(text))), err)
}

// kill ends the child as a crash would.
func (t *tied) kill() error {
	err := t.cmd.Process.Kill()
	<-t.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// asked is a child that answers lines of its standard input with lines of its standard output.
type asked struct {
	*tied
	in   io.WriteCloser
	out  *io.PipeReader
	said *bufio.Reader
}

func ask(dir string, cmd *exec.Cmd) (*asked, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, stdout := io.Pipe()
	cmd.Stdout = stdout
	child, err := tie(dir, cmd)
	if err != nil {
		return nil, err
	}
	go func() {
		<-child.ended
		_ = stdout.Close() // never an error
	}()
	return &asked{tied: child, in: in, out: out, said: bufio.NewReader(out)}, nil
}

// answer is the next line that looks like JSON: libraries have things to say on standard output too.
func (a *asked) answer(ctx context.Context) ([]byte, error) {
	for {
		line, err := a.said.ReadBytes('\n')
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			<-a.ended
			return nil, a.died()
		case line[0] == '{':
			return line, nil
		}
	}
}

// end ends the child, whatever it is doing.
func (a *asked) end() {
	_ = a.in.Close()  // an error: the child has ended already
	_ = a.out.Close() // never an error; what it says now is of no use
	a.stop()
}
