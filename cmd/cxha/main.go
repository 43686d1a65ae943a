// Command cxha builds and keeps Kubernetes clusters on a team's own machines.
package main

import (
	"os"

	"github.com/expertflow/cxha/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.SystemEnv()))
}
