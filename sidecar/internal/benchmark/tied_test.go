package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A child ends with its context, and says how.
func TestTiedToContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	child, err := tie(t.TempDir(), exec.CommandContext(ctx, "sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-child.ended
	if status := child.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("ended by %v", child.cmd.ProcessState)
	}

	child, err = tie(t.TempDir(), exec.CommandContext(t.Context(), "sh", "-c", "echo no such bucket >&2; exit 7"))
	if err != nil {
		t.Fatal(err)
	}
	<-child.ended
	if err := child.died(); !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "no such bucket") {
		t.Errorf("got %v", err)
	}
	if _, err := tie(t.TempDir(), exec.CommandContext(t.Context(), "no-such-program")); err == nil {
		t.Error("started what is not there")
	}
}

// tiedParent in the environment makes this test binary a parent, which says the pid of its child and waits to be killed.
const tiedParent = "BENCHMARK_TEST_TIED_PARENT"

// A child ends even when its parent is killed.
func TestTiedToParent(t *testing.T) {
	if os.Getenv(tiedParent) != "" {
		child, err := tie(os.Getenv(tiedParent), exec.CommandContext(t.Context(), "sleep", "1000"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("child", child.cmd.Process.Pid)
		select {}
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestTiedToParent$")
	parent.Env = append(os.Environ(), tiedParent+"="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "child "))
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the child is not there: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	poll(t, "end of the child", func() bool { return gone(pid) })
}

// gone is true of a process that has ended, also if nobody has waited for it yet.
func gone(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.HasPrefix(string(text[strings.LastIndexByte(string(text), ')')+1:]), " Z")
}

// A child is asked line by line; what is no JSON is none of its answers.
func TestAsk(t *testing.T) {
	echo := `echo starting; while read -r line; do echo "log of $line"; echo "{\"$line\"}"; done`
	child, err := ask(t.TempDir(), exec.CommandContext(t.Context(), "sh", "-c", echo))
	if err != nil {
		t.Fatal(err)
	}
	for _, question := range []string{"a", "b"} {
		if _, err := fmt.Fprintln(child.in, question); err != nil {
			t.Fatal(err)
		}
		if line, err := child.answer(t.Context()); err != nil || string(line) != "{\""+question+"\"}\n" {
			t.Errorf("%q: %q, %v", question, line, err)
		}
	}
	// Nobody reads what it still says, and it ends all the same.
	if _, err := fmt.Fprintln(child.in, strings.Repeat("c", 1<<20)); err != nil {
		t.Fatal(err)
	}
	child.end()
	<-child.ended

	child, err = ask(t.TempDir(), exec.CommandContext(t.Context(), "sh", "-c", "echo out of memory >&2; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := child.answer(t.Context()); err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("got %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	child, err = ask(t.TempDir(), exec.CommandContext(ctx, "sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := child.answer(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	child.end()
}
