package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// SQLSession says how Flink's SQL client is started: embedded, so that it plans in its own process and submits to the
// cluster.
type SQLSession struct {
	File   string            // statements to run; empty = what is typed at Stdin
	Jars   []string          // for this session and the jobs it submits, as ADD JAR does
	Config map[string]string // of the session, over that of the cluster
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer // another than Stdout, or both are written at once
}

// RunSQL runs a session to its end. With a File it ends with the first statement that fails, and the error says so; a
// session that is typed ends when its user wants. The client's log is logs/sql-client.log of the cluster.
func (s State) RunSQL(ctx context.Context, session SQLSession) error {
	root, err := Root()
	if err != nil {
		return err
	}
	java, err := findJava(ctx)
	if err != nil {
		return err
	}
	home, err := Home(ctx, root, func(what string) { fmt.Fprintln(session.Stderr, what) })
	if err != nil {
		return err
	}
	conf := filepath.Join(s.Dir, "conf")
	cmd := exec.CommandContext(ctx, java, sqlClient(home, s.Dir, session)...)
	cmd.Env = append(os.Environ(), "FLINK_CONF_DIR="+conf, "FLINK_PLUGINS_DIR="+filepath.Join(home, "plugins"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = session.Stdin, session.Stdout, session.Stderr
	failed := &watchFor{text: []byte("[ERROR] "), to: session.Stdout}
	if session.File != "" {
		cmd.Stdout = failed // the client's exit status is 0 all the same
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second // then it is killed
	log := filepath.Join(s.Dir, "logs", "sql-client.log")
	switch err := cmd.Run(); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("sql client: %w; its log is %s", err, log)
	case failed.seen:
		return fmt.Errorf("a statement failed, those after it were not run; the stack trace is in %s", log)
	}
	return nil
}

// watchFor passes on what is written, and notes whether a text was in it.
type watchFor struct {
	text []byte
	to   io.Writer
	tail []byte // the end of what was written, for a text that comes in two parts
	seen bool
}

func (w *watchFor) Write(p []byte) (int, error) {
	if !w.seen {
		w.tail = append(w.tail, p...)
		w.seen = bytes.Contains(w.tail, w.text)
		w.tail = append(w.tail[:0], w.tail[max(0, len(w.tail)-len(w.text)+1):]...)
	}
	return w.to.Write(p)
}

func sqlClient(home, dir string, session SQLSession) []string {
	args := append([]string{"-Xmx512m", "-XX:+UseSerialGC"}, JavaModuleFlags()...)
	args = append(args,
		"-Dlog.file="+filepath.Join(dir, "logs", "sql-client.log"),
		"-Dlog4j.configurationFile="+filepath.Join(dir, "conf", log4jClientFile),
		"-cp", classPath(home, dir)+":"+filepath.Join(home, "opt")+"/*")
	if session.File != "" {
		args = append(args, "-Dorg.jline.terminal.dumb=true") // or it warns of there being no terminal
	}
	args = append(args, "org.apache.flink.table.client.SqlClient", "embedded", "--history", filepath.Join(dir, "sql-history"))
	for _, jar := range session.Jars {
		args = append(args, "--jar", jar)
	}
	for _, key := range slices.Sorted(maps.Keys(session.Config)) {
		args = append(args, "-D", key+"="+session.Config[key])
	}
	if session.File != "" {
		// It shows results of a file in this mode only, and does not choose it by itself.
		args = append(args, "-D", "sql-client.execution.result-mode=TABLEAU", "--file", session.File)
	}
	return args
}
