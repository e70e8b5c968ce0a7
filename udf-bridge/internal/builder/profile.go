package builder

import (
	"fmt"
	"os"
	"path/filepath"
)

// What Options.Profile may be besides a file.
const (
	ProfileAuto = "auto" // the default.pgo beside the functions, if there is one
	ProfileOff  = "off"
)

// defaultProfile is the name that the go command looks for, there beside a main.
const defaultProfile = "default.pgo"

// profile is the path of the CPU profile by which the Go compiler is to decide what to inline, or "".
func profile(dir, choice string, packages []listed) (string, error) {
	switch choice {
	case ProfileOff:
		return "", nil
	case ProfileAuto, "":
	default:
		if !filepath.IsAbs(choice) {
			choice = filepath.Join(dir, choice)
		}
		if info, err := os.Stat(choice); err != nil || !info.Mode().IsRegular() {
			return "", fmt.Errorf("no profile at %s; go test -bench . -cpuprofile %s makes one", choice, defaultProfile)
		}
		return choice, nil
	}
	found := ""
	for _, p := range packages {
		path := filepath.Join(p.Dir, defaultProfile)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("there are %s and %s, and a build takes one profile: merge them by go tool pprof -proto A B > merged.pgo, and give it with --pgo merged.pgo", found, path)
		}
		found = path
	}
	return found, nil
}
