package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/gofrs/flock"
)

// disk is the folder of a sidecar:
//
//	lock            held by the process
//	instance.json   diskState
//	sessions/FENCE  the log of a session, and the segments that its state is made of
//
// A session's folder gets the ending .gone before it is removed: a removal that did not come to its end removed a session all
// the same.
type disk struct {
	folder string
	lock   *flock.Flock
	state  diskState
}

type diskState struct {
	Version  int    `json:"version"`
	Instance string `json:"instance"`
	Boot     string `json:"boot"`
	Fence    uint64 `json:"fence"`
}

const gone = ".gone"

// openDisk opens a folder, or makes it. What is in it counts if it was written since the machine was started; otherwise all
// sessions are removed, and the instance is the given one.
func openDisk(folder, boot, instance string) (*disk, error) {
	d := &disk{folder: folder, lock: flock.New(filepath.Join(folder, "lock"))}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !locked {
		return nil, fmt.Errorf("%s is in use by another process; give each sidecar a folder of its own", folder)
	}
	if err := d.load(boot, instance); err != nil {
		return nil, errors.Join(err, d.lock.Unlock())
	}
	return d, nil
}

func (d *disk) load(boot, instance string) error {
	data, err := os.ReadFile(d.name("instance.json"))
	if err == nil {
		err = json.Unmarshal(data, &d.state)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	// What cannot be read is as good as nothing: sessions are unknown then, and Flink restores them.
	if err != nil || d.state.Version != logVersion || d.state.Instance == "" || boot == "" || d.state.Boot != boot {
		if err := os.RemoveAll(d.name("sessions")); err != nil {
			return err
		}
		d.state = diskState{Version: logVersion, Instance: instance, Boot: boot}
	}
	if err := os.MkdirAll(d.name("sessions"), 0o700); err != nil {
		return err
	}
	return d.save(d.state)
}

func (d *disk) name(elements ...string) string {
	return filepath.Join(append([]string{d.folder}, elements...)...)
}

// fence notes that a fence is given away, so that it is not given away again.
func (d *disk) fence(fence uint64) error {
	state := d.state
	state.Fence = fence
	return d.save(state)
}

func (d *disk) save(state diskState) error {
	data, err := json.Marshal(state)
	if err != nil {
		return err
	}
	temp := d.name("instance.json.new")
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(temp, d.name("instance.json")); err != nil {
		return err
	}
	d.state = state
	return nil
}

func (d *disk) sessionFolder(fence uint64) string {
	return d.name("sessions", strconv.FormatUint(fence, 10))
}

// remove removes a session.
func (d *disk) remove(fence uint64) error {
	folder := d.sessionFolder(fence)
	if err := os.Rename(folder, folder+gone); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return os.RemoveAll(folder + gone)
}

// sessions are the fences of those that are there.
func (d *disk) sessions() ([]uint64, error) {
	entries, err := os.ReadDir(d.name("sessions"))
	if err != nil {
		return nil, err
	}
	var fences []uint64
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), gone) {
			if err := os.RemoveAll(d.name("sessions", e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		if fence, err := strconv.ParseUint(e.Name(), 10, 64); err == nil && fence <= d.state.Fence {
			fences = append(fences, fence)
		}
	}
	return fences, nil
}

func (d *disk) close() error { return d.lock.Close() }

// bootID names the present run of the machine: Linux tells it.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
