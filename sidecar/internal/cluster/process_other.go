//go:build !linux

package cluster

import "syscall"

func attributes(bool) *syscall.SysProcAttr { return nil }
