package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// FlinkVersion is the version that is assembled.
const FlinkVersion = "2.3.0"

//go:embed flink-pom.xml
var flinkPOM []byte

// Root returns the root of Drey's checkout, looking upwards from the working folder, then from this program (which
// scripts/build puts into the checkout).
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if root, ok := rootAbove(dir); ok {
		return root, nil
	}
	if program, err := os.Executable(); err == nil {
		if root, ok := rootAbove(filepath.Dir(program)); ok {
			return root, nil
		}
	}
	return "", errors.New("not inside a checkout of Drey: the development cluster is built from it; change into the checkout and run this again")
}

func rootAbove(dir string) (root string, ok bool) {
	for ; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module github.com/drey-flink/drey\n")) {
			return dir, true
		}
		if dir == filepath.Dir(dir) {
			return "", false
		}
	}
}

// Home returns a folder with Flink's lib, opt and plugins, assembled from Maven modules if it is not there yet. A folder
// counts only with the stamp of the present POM, which is written last: a download that broke off is done again. Two
// that need it at the same moment assemble it once.
func Home(ctx context.Context, root string, progress func(string)) (string, error) {
	home := filepath.Join(root, ".drey", "flink-"+FlinkVersion)
	sum := sha256.Sum256(flinkPOM)
	want := hex.EncodeToString(sum[:])
	ready := func() bool {
		stamp, err := os.ReadFile(filepath.Join(home, "stamp"))
		return err == nil && string(stamp) == want
	}
	if ready() {
		return home, nil
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, home+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if ready() {
		return home, nil
	}
	progress("assembling Flink " + FlinkVersion + " from Maven modules (250 MB, once)")
	temp := home + ".part" // ours: we hold the lock; what is there is of a run that was killed
	if err := errors.Join(os.RemoveAll(temp), os.Mkdir(temp, 0o755)); err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	pom := filepath.Join(temp, "pom.xml")
	if err := os.WriteFile(pom, flinkPOM, 0o644); err != nil {
		return "", err
	}
	if err := build(ctx, root, nil, "mvn", "-q", "-B", "-f", pom, "-Dflink.home="+temp, "package"); err != nil {
		return "", fmt.Errorf("assemble Flink: %w\ncheck that Maven reaches its repository, then run this again", err)
	}
	if err := os.WriteFile(filepath.Join(temp, "stamp"), []byte(want), 0o644); err != nil {
		return "", err
	}
	if err := os.RemoveAll(home); err != nil {
		return "", err
	}
	return home, os.Rename(temp, home)
}

// buildS3 builds the development S3 server. Go's build cache makes this quick when nothing changed.
func buildS3(ctx context.Context, root string) (string, error) {
	binary := filepath.Join(root, ".drey", "bin", "devs3")
	if err := build(ctx, root, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-o", binary, "./scripts/devs3"); err != nil {
		return "", fmt.Errorf("build the S3 server: %w", err)
	}
	return binary, nil
}

// JobsJar returns the jar of the jobs that come with Drey, and builds it when it is not there.
func JobsJar(ctx context.Context, root string, progress func(string)) (string, error) {
	jar := filepath.Join(root, "flink-jobs", "target", "flink-jobs.jar")
	if _, err := os.Stat(jar); err == nil {
		return jar, nil
	}
	progress("building flink-jobs.jar with Maven")
	if err := build(ctx, root, nil, "mvn", "-q", "-B", "-DskipTests", "package"); err != nil {
		return "", fmt.Errorf("build flink-jobs.jar: %w", err)
	}
	_, err := os.Stat(jar)
	return jar, err
}

// GoJar returns the jar of the functions that come with Drey, for the TaskManager, and builds it when it is not there.
func GoJar(ctx context.Context, root string, progress func(string)) (string, error) {
	jar := filepath.Join(root, ".drey", "bin", "go-udf-bridge.jar")
	if _, err := os.Stat(jar); err == nil {
		return jar, nil
	}
	if _, err := JobsJar(ctx, root, progress); err != nil { // and with it the Java classes that go into the jar
		return "", err
	}
	progress("building go-udf-bridge.jar")
	if err := build(ctx, root, nil, "go", "run", "./udf-bridge/cmd/go-udf-builder", "build",
		"./sidecar/functions/fraud", "./sidecar/functions/flights", "-o", jar); err != nil {
		return "", fmt.Errorf("build go-udf-bridge.jar: %w", err)
	}
	return jar, nil
}

// build runs a build tool; its error holds the end of what the tool said.
func build(ctx context.Context, dir string, environ []string, tool string, args ...string) error {
	if _, err := exec.LookPath(tool); err != nil {
		return fmt.Errorf("%w; scripts/prerequisites installs what is needed", err)
	}
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	cmd.WaitDelay = 5 * time.Second // a child of a killed tool may hold the pipe
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(out, 15))
	}
	return nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// findJava returns the java of JAVA_HOME or of the PATH, which must be 17 or later.
func findJava(ctx context.Context) (string, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	out, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run %s: %w; install a JDK 17 or later (scripts/prerequisites does) or set JAVA_HOME", java, err)
	}
	match := javaVersion.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("%s -version says %q; set JAVA_HOME to a JDK 17 or later", java, tail(out, 1))
	}
	if major, _ := strconv.Atoi(string(match[1])); major < 17 {
		return "", fmt.Errorf("%s is Java %d, Flink %s needs 17 or later: set JAVA_HOME", java, major, FlinkVersion)
	}
	return java, nil
}

// tail returns the last lines of a text.
func tail(text []byte, lines int) string {
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
