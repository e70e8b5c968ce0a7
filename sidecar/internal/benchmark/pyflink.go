package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
)

// pythonFunctions are the functions of the benchmark in Python, as module functions.
//
//go:embed pyflink/functions.py
var pythonFunctions []byte

// pyflink is a Python with PyFlink of the version of the cluster.
type pyflink struct {
	python  string // program
	path    string // PYTHONPATH: thread mode finds its own library only there; and the module functions
	flink   string // the module of Flink that runs Python, a jar
	version string
}

// findPyFlink uses the environment that DREY_PYFLINK_VENV names, or makes one in .drey: once, 850 MB.
func findPyFlink(ctx context.Context, root, home, dir string) (*pyflink, error) {
	venv := os.Getenv("DREY_PYFLINK_VENV")
	if venv == "" {
		venv = filepath.Join(root, ".drey", "pyflink-"+cluster.FlinkVersion)
		if err := makeVenv(ctx, venv); err != nil {
			return nil, err
		}
	}
	p := &pyflink{python: filepath.Join(venv, "bin", "python"), flink: filepath.Join(home, "opt", "flink-python-"+cluster.FlinkVersion+".jar")}
	out, err := exec.CommandContext(ctx, p.python, "-c", "import pyflink.version, pemja, sysconfig; print(pyflink.version.__version__, sysconfig.get_path('purelib'))").Output()
	if err != nil {
		return nil, fmt.Errorf("%s has no PyFlink: %w; remove that environment, or name another in DREY_PYFLINK_VENV", p.python, err)
	}
	version, packages, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if version != cluster.FlinkVersion {
		return nil, fmt.Errorf("%s has PyFlink %s, the cluster is Flink %s", p.python, version, cluster.FlinkVersion)
	}
	if err := os.WriteFile(filepath.Join(dir, "functions.py"), pythonFunctions, 0o644); err != nil {
		return nil, err
	}
	p.path, p.version = packages+string(os.PathListSeparator)+dir, version
	return p, nil
}

// makeVenv installs PyFlink from PyPI. A folder without the stamp, which comes last, is of an installation that broke off.
func makeVenv(ctx context.Context, venv string) error {
	stamp := filepath.Join(venv, "stamp")
	if _, err := os.Stat(stamp); err == nil {
		return nil
	}
	fmt.Fprintf(os.Stderr, "installing PyFlink %s from PyPI (850 MB, once)\n", cluster.FlinkVersion)
	if err := os.RemoveAll(venv); err != nil {
		return err
	}
	for _, step := range [][]string{
		{"python3", "-m", "venv", venv},
		{filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "apache-flink==" + cluster.FlinkVersion},
	} {
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			return errors.Join(fmt.Errorf("%s: %w\n%s", strings.Join(step, " "), err, strings.Join(lines[max(0, len(lines)-5):], "\n")), os.RemoveAll(venv))
		}
	}
	return os.WriteFile(stamp, []byte(cluster.FlinkVersion+"\n"), 0o644)
}
