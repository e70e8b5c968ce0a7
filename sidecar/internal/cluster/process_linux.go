package cluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// attributes puts a child into a session of its own, so that neither Ctrl-C nor the end of the terminal reaches it: we end
// the children ourselves, in order.
func attributes(tied bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true}
	if tied {
		a.Pdeathsig = syscall.SIGKILL
	}
	return a
}

// listens says whether the process pid listens on the port. Two clusters that start at the same moment may choose the
// same port: then one process cannot listen, and what answers there is the other cluster's.
func listens(pid, port int) bool {
	sockets := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} { // Java listens on IPv6 sockets for both
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue
		}
		for line := range bytes.Lines(text) {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode (proc(5); st 0A is LISTEN)
			f := bytes.Fields(line)
			if len(f) > 9 && string(f[3]) == "0A" && bytes.HasSuffix(f[1], fmt.Appendf(nil, ":%04X", port)) {
				sockets["socket:["+string(f[9])+"]"] = true
			}
		}
	}
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	descriptors, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	for _, d := range descriptors {
		if to, err := os.Readlink(filepath.Join(folder, d.Name())); err == nil && sockets[to] {
			return true
		}
	}
	return false
}
