package cluster

import "syscall"

// attributes puts a child into a process group of its own, so that Ctrl-C reaches only us and we end the children in order.
func attributes(tied bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if tied {
		a.Pdeathsig = syscall.SIGKILL
	}
	return a
}
