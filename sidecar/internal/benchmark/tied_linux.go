package main

import "syscall"

// tiedAttributes: a session of its own, so that Ctrl-C does not reach the child before this process has read what it says; and
// the kernel ends it with its parent.
func tiedAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}
