//go:build !linux

package cluster

import "syscall"

func attributes(bool) *syscall.SysProcAttr { return nil }

func listens(pid, port int) bool { return true }
