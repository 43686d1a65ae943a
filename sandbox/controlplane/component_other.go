//go:build !linux

package controlplane

import "syscall"

// childAttributes puts a child into a process group of its own; that it dies with its parent is left to its standard input.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
