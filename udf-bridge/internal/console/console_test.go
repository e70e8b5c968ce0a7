package console_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/udf-bridge/internal/console"
)

// This test program is also the java command of the tests: a JVM that follows a script.
func TestMain(m *testing.M) {
	if script := os.Getenv("SCRIPTED_JVM"); script != "" {
		os.Exit(scripted(script))
	}
	os.Exit(m.Run())
}

// scripted answers each request with its own body, after what the script says of it.
func scripted(script string) int {
	answers := os.NewFile(3, "answers")
	for {
		var head [5]byte
		if _, err := io.ReadFull(os.Stdin, head[:]); err != nil {
			return 0
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:])-1)
		if _, err := io.ReadFull(os.Stdin, body); err != nil {
			return 1
		}
		answer := func(length uint32, rest ...byte) {
			answers.Write(append(binary.BigEndian.AppendUint32(nil, length), rest...))
		}
		switch script {
		case "echo":
			answer(uint32(len(body)+1), append([]byte{0}, body...)...)
		case "die":
			fmt.Fprintln(os.Stderr, strings.Repeat("x", 100_000)+"\nfatal error: all goroutines are asleep")
			return 134
		case "leave":
			return 0
		case "hang":
			io.Copy(io.Discard, os.Stdin)
		case "half":
			answer(100, 0, 1)
			return 0
		case "huge":
			answer(1<<31, 0)
		case "nothing":
			answer(0)
		case "bad failure":
			answer(6, 1, 0, 0, 0, 1, 0)
		}
	}
}

func start(t *testing.T, script string) *console.Console {
	t.Helper()
	t.Setenv("SCRIPTED_JVM", script)
	c, err := console.Start(t.Context(), console.Options{Jar: "x.jar", Java: os.Args[0], Patience: patience(script)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// patience is short where the script never answers.
func patience(script string) time.Duration {
	if script == "hang" {
		return 50 * time.Millisecond
	}
	return 0
}

func TestEcho(t *testing.T) {
	c := start(t, "echo")
	for _, body := range []string{"", "x", strings.Repeat("y", 1<<20)} {
		got, err := c.ProcessJSON([]byte(body))
		if err != nil || string(got) != body {
			t.Errorf("%d bytes, error %v, want %d", len(got), err, len(body))
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.ProcessJSON(nil); err == nil {
		t.Error("a closed console answered")
	}
}

func TestDeath(t *testing.T) {
	for script, want := range map[string]string{
		"die":     "the JVM ended (exit status 134) before it answered",
		"leave":   "the JVM ended by itself before it answered",
		"half":    "the JVM ended by itself before it answered",
		"hang":    "the JVM was killed: no answer within 50ms",
		"huge":    "the JVM ended (signal: killed)",
		"nothing": "the JVM ended (signal: killed)",
	} {
		t.Run(script, func(t *testing.T) {
			c := start(t, script)
			_, err := c.ProcessJSON([]byte("{}"))
			var death *console.DeathError
			if !errors.As(err, &death) || !strings.Contains(err.Error(), want) {
				t.Fatalf("error %v, want %q", err, want)
			}
			if script == "die" && (!strings.HasSuffix(death.Stderr, "all goroutines are asleep\n") || len(death.Stderr) > 32<<10) {
				t.Errorf("kept %d bytes of stderr: ...%s", len(death.Stderr), death.Stderr[max(0, len(death.Stderr)-60):])
			}
			if got := death.Cause(); script == "die" && got != "fatal error: all goroutines are asleep" {
				t.Errorf("cause %q", got)
			}
			if _, again := c.ProcessJSON(nil); again != err {
				t.Errorf("asked again: %v", again)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBadAnswers(t *testing.T) {
	c := start(t, "bad failure")
	if _, err := c.ProcessJSON(nil); err == nil || !strings.Contains(err.Error(), "not a string map") {
		t.Errorf("error %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	c = start(t, "echo")
	if _, err := c.Open(map[string]string{"function": "f"}); err == nil || !strings.Contains(err.Error(), "want 4") {
		t.Errorf("error %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestStart_noJava(t *testing.T) {
	if _, err := console.Start(t.Context(), console.Options{Jar: "x.jar", Java: "/nowhere/java"}); err == nil || !strings.Contains(err.Error(), "/nowhere/java") {
		t.Errorf("error %v", err)
	}
}
