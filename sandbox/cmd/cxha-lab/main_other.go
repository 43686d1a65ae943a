//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "cxha-lab: the lab needs Linux: its hosts are namespaces of the kernel")
	os.Exit(1)
}
