//go:build !linux || cgo

package main

import (
	"fmt"
	"os"
)

// With cgo the program would need the build machine's C library on every host, and compiling kubelet for it takes minutes.
func main() {
	fmt.Fprintln(os.Stderr, "rke2: this program is for Linux hosts: build it with GOOS=linux CGO_ENABLED=0")
	os.Exit(1)
}
