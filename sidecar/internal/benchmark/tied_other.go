//go:build !linux

package main

import "syscall"

func tiedAttributes() *syscall.SysProcAttr { return nil }
