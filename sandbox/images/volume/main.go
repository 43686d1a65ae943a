// Command volume makes and removes the directory of a volume on a node: what local-path-provisioner's helper pod runs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "volume: %v\n", err)
		os.Exit(1)
	}
}

// run understands the arguments that the provisioner gives to its helper: path, size, mode, and what is to be done.
func run(args []string) error {
	flags := flag.NewFlagSet("volume", flag.ContinueOnError)
	path := flags.String("p", "", "the volume's directory")
	flags.Int64("s", 0, "size in bytes; it is not enforced")
	mode := flags.String("m", "Filesystem", "volume mode")
	action := flags.String("a", "", "create or delete")
	if err := flags.Parse(args); err != nil {
		return err
	}
	// A directory directly below / would be somebody else's.
	if !filepath.IsAbs(*path) || filepath.Clean(*path) != *path || strings.Count(*path, "/") < 2 {
		return fmt.Errorf("path %q: want an absolute one, without dots, of a directory that is not directly below /", *path)
	}
	if *mode != "Filesystem" {
		return fmt.Errorf("mode %q: only directories can be made", *mode)
	}
	switch *action {
	case "create":
		// The mode is set apart because the umask takes from that of MkdirAll.
		return errors.Join(os.MkdirAll(*path, 0o777), os.Chmod(*path, 0o777))
	case "delete":
		return os.RemoveAll(*path)
	}
	return fmt.Errorf("action %q: want create or delete", *action)
}
