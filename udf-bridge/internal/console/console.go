// Package console calls the Go functions of a built jar in a JVM of its own, as Flink's does. The other half is the Java
// class dev.drey.flink.udf.library.GoConsole, which specifies the protocol.
package console

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const mainClass = "dev.drey.flink.udf.library.GoConsole"

// The verbs of a request.
const (
	verbLoad     = 1
	verbOpen     = 2
	verbCall     = 3
	verbFixed    = 4
	verbClose    = 5
	verbDescribe = 6
	verbJSON     = 8
)

// The operations of a call; all but Eval are of aggregates.
const (
	Eval       = 0
	Accumulate = 1
	Retract    = 2
	Merge      = 3
	Result     = 4
)

// maxAnswer bounds what an answer may say its length is.
const maxAnswer = 1 << 30

// Options say how the JVM is started.
type Options struct {
	Jar      string            // path of the jar
	Java     string            // the java command; "" finds it by JAVA_HOME or on the PATH
	Settings map[string]string // as drey.udf.gomaxprocs
	Stderr   io.Writer         // what the JVM and the Go functions write; nil keeps the end of it for [DeathError]
	Patience time.Duration     // how long an answer may take before the JVM is killed; 0 is forever
}

// Console is a JVM that runs. It is not safe for concurrent use.
type Console struct {
	cmd      *exec.Cmd
	requests io.WriteCloser
	answers  *bufio.Reader
	reading  *os.File
	stderr   *tail
	temp     string
	patience time.Duration
	hung     atomic.Bool
	dead     error
}

// Failure is an exception of Java's: what a call ends with that Go, or the library, refused.
type Failure struct {
	Exception string // its class
	Message   string
	Function  string
	Trace     string // as Java prints it, Go's frames first
}

func (f *Failure) Error() string { return f.Message }

// Panic says whether the function panicked.
func (f *Failure) Panic() bool { return f.Exception == "dev.drey.flink.udf.GoPanicException" }

// Returned says whether the function returned an error, or its arguments or result did not fit its types.
func (f *Failure) Returned() bool {
	return f.Exception == "dev.drey.flink.udf.GoFunctionException" || f.Exception == "dev.drey.flink.udf.GoDeadlineException"
}

// DeathError is a JVM that is not there any more. Nothing else can be asked of it.
type DeathError struct {
	How    string // what it ended with
	Stderr string // the end of what it wrote
}

func (e *DeathError) Error() string { return "the JVM " + e.How }

// Cause is the line in which a dying Go runtime says why it dies, or "".
func (e *DeathError) Cause() string {
	for line := range strings.Lines(e.Stderr) {
		for _, start := range []string{"panic: ", "fatal error: "} {
			if strings.HasPrefix(line, start) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

// Start starts a JVM with the jar on its class path. The context's end kills it.
func Start(ctx context.Context, o Options) (*Console, error) {
	java, err := findJava(o.Java)
	if err != nil {
		return nil, err
	}
	c := &Console{stderr: &tail{also: o.Stderr}, patience: o.Patience}
	if c.temp, err = os.MkdirTemp("", "go-udf-console-*"); err != nil {
		return nil, err
	}
	settings := map[string]string{"drey.udf.library-dir": c.temp, "drey.udf.crash-dir": c.temp}
	maps.Copy(settings, o.Settings)
	args := []string{"-XX:-UsePerfData", "-XX:ErrorFile=" + filepath.Join(c.temp, "hs_err.log"), "-XX:-CreateCoredumpOnCrash", "-cp", o.Jar, mainClass, "/dev/fd/3"}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, key+"="+settings[key])
	}
	c.cmd = exec.CommandContext(ctx, java, args...)
	c.cmd.Stdout, c.cmd.Stderr = c.stderr, c.stderr
	c.cmd.WaitDelay = 5 * time.Second // a program that a function started may hold the pipes
	if err := c.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", java, err), os.RemoveAll(c.temp))
	}
	return c, nil
}

func (c *Console) start() (err error) {
	if c.requests, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	reading, writing, err := os.Pipe()
	if err != nil {
		return err
	}
	defer writing.Close() // the JVM has it; so the pipe ends with the JVM
	c.reading, c.answers = reading, bufio.NewReader(reading)
	c.cmd.ExtraFiles = []*os.File{writing}
	if err = c.cmd.Start(); err != nil {
		reading.Close()
	}
	return err
}

// findJava finds the java command.
func findJava(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java"), nil
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", errors.New("no java on the PATH; install a JRE or JDK of version 11 or later, or set JAVA_HOME")
	}
	return java, nil
}

// Load loads the library and returns the settings in force.
func (c *Console) Load() (map[string]string, error) {
	answer, err := c.ask(verbLoad, nil)
	if err != nil {
		return nil, err
	}
	return decodeStringMap(answer)
}

// Describe returns the library's own description of its functions, as JSON.
func (c *Console) Describe() ([]byte, error) { return c.ask(verbDescribe, nil) }

// ProcessJSON calls GoUDFProxy.processJson.
func (c *Console) ProcessJSON(event []byte) ([]byte, error) { return c.ask(verbJSON, event) }

// Function is an opened function.
type Function struct {
	console *Console
	id      uint32
}

// Open opens a function; request as drey_open takes it, with the keys function and signature.
func (c *Console) Open(request map[string]string) (*Function, error) {
	answer, err := c.ask(verbOpen, appendStringMap(nil, request))
	if err != nil {
		return nil, err
	}
	if len(answer) != 4 {
		return nil, fmt.Errorf("an answer to OPEN of %d bytes, want 4", len(answer))
	}
	return &Function{console: c, id: binary.BigEndian.Uint32(answer)}, nil
}

// Call calls the function. The error is a [*Failure] or a [*DeathError].
func (f *Function) Call(op int, input []byte) ([]byte, error) {
	body := binary.BigEndian.AppendUint32(nil, f.id)
	body = binary.BigEndian.AppendUint32(body, uint32(op))
	return f.console.ask(verbCall, append(body, input...))
}

// Fixed calls a function of fixed-width arguments and result with at most four.
func (f *Function) Fixed(nulls uint64, arguments [4]uint64) (value uint64, null bool, err error) {
	body := binary.BigEndian.AppendUint32(nil, f.id)
	body = binary.BigEndian.AppendUint64(body, nulls)
	for _, a := range arguments {
		body = binary.BigEndian.AppendUint64(body, a)
	}
	answer, err := f.console.ask(verbFixed, body)
	if err != nil {
		return 0, false, err
	}
	if len(answer) != 9 {
		return 0, false, fmt.Errorf("an answer to FIXED of %d bytes, want 9", len(answer))
	}
	return binary.BigEndian.Uint64(answer[1:]), answer[0] != 0, nil
}

// Close closes the function.
func (f *Function) Close() error {
	_, err := f.console.ask(verbClose, binary.BigEndian.AppendUint32(nil, f.id))
	return err
}

// Close ends the JVM and removes what it unpacked.
func (c *Console) Close() error {
	c.requests.Close()
	var err error
	if c.dead == nil {
		err = c.cmd.Wait()
		c.dead = &DeathError{How: "was closed"}
	}
	c.reading.Close()
	return errors.Join(err, os.RemoveAll(c.temp))
}

// ask sends a request and reads its answer.
func (c *Console) ask(verb byte, body []byte) ([]byte, error) {
	if c.dead != nil {
		return nil, c.dead
	}
	if c.patience > 0 {
		killer := time.AfterFunc(c.patience, func() {
			c.hung.Store(true)
			_ = c.cmd.Process.Kill() // it has ended by itself meanwhile
		})
		defer killer.Stop()
	}
	request := binary.BigEndian.AppendUint32(make([]byte, 0, len(body)+5), uint32(len(body)+1))
	request = append(append(request, verb), body...)
	_, err := c.requests.Write(request)
	var answer []byte
	if err == nil {
		answer, err = c.answer()
	}
	if err != nil {
		c.dead = c.death(err)
		return nil, c.dead
	}
	if answer[0] == 0 {
		return answer[1:], nil
	}
	failure, err := decodeStringMap(answer[1:])
	if err != nil {
		return nil, err
	}
	return nil, &Failure{Exception: failure["exception"], Message: failure["message"], Function: failure["function"], Trace: failure["trace"]}
}

func (c *Console) answer() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(c.answers, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > maxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	answer := make([]byte, n)
	_, err := io.ReadFull(c.answers, answer)
	return answer, err
}

// death waits for a JVM that does not answer, and says how it ended.
func (c *Console) death(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		_ = c.cmd.Process.Kill() // what it says makes no sense
	}
	c.requests.Close()
	ended := c.cmd.Wait()
	how := fmt.Sprintf("ended (%v) before it answered", ended)
	switch {
	case c.hung.Load():
		how = fmt.Sprintf("was killed: no answer within %v", c.patience)
	case ended == nil:
		how = fmt.Sprintf("ended by itself before it answered (%v)", err)
	}
	return &DeathError{How: how, Stderr: c.stderr.String()}
}
