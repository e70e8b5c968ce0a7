package invoke

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
)

// startProcess applies the settings of drey_init to this Go runtime, and says what is in force.
func startProcess(settings map[string]string) ([]pair, error) {
	number := func(key string) (int64, error) {
		text, ok := settings[key]
		if !ok || text == "" {
			return 0, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 {
			return 0, fmt.Errorf("setting %s is %q; give a whole number above 0", key, text)
		}
		return n, nil
	}
	procs, err := number("gomaxprocs")
	if err != nil {
		return nil, err
	}
	limit, err := number("memory_limit")
	if err != nil {
		return nil, err
	}
	gogc, err := parseGOGC(settings["gogc"])
	if err != nil {
		return nil, err
	}
	crashFile := settings["crash_file"]
	if err := setCrashOutput(crashFile); err != nil {
		return nil, err
	}
	if crashFile == "" {
		// A place that nobody asked for: the folder of the logs may be one that this process cannot write to.
		if crashFile = settings["crash_file_if_possible"]; setCrashOutput(crashFile) != nil {
			crashFile = ""
		}
	}
	if procs > 0 {
		runtime.GOMAXPROCS(int(min(procs, math.MaxInt16)))
	}
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
	if gogc != nil {
		debug.SetGCPercent(*gogc)
	}
	raiseHeapFloor(gogc != nil)
	effective := []pair{
		{"go_version", runtime.Version()},
		{"gomaxprocs", strconv.Itoa(runtime.GOMAXPROCS(0))},
		{"crash_file", crashFile},
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		effective = append(effective, pair{"memory_limit", strconv.FormatInt(limit, 10)})
	}
	if gogc != nil {
		effective = append(effective, pair{"gogc", settings["gogc"]})
	}
	return effective, nil
}

func parseGOGC(text string) (*int, error) {
	if text == "" {
		return nil, nil
	}
	off := -1
	if text == "off" {
		return &off, nil
	}
	percent, err := strconv.Atoi(text)
	if err != nil || percent <= 0 {
		return nil, fmt.Errorf("setting gogc is %q; give a percentage above 0, or off", text)
	}
	return &percent, nil
}

// setCrashOutput makes a fatal error of Go, which ends the process, leave the stacks of all goroutines in a file: the
// stderr of a TaskManager may be nowhere.
func setCrashOutput(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("crash file: %w; set drey.udf.crash-dir to a folder that this process may write to", err)
	}
	defer file.Close()
	debug.SetTraceback("all")
	if err := debug.SetCrashOutput(file, debug.CrashOptions{}); err != nil {
		return fmt.Errorf("crash file %s: %w", path, err)
	}
	return nil
}
