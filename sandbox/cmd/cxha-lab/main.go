//go:build linux

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/console"
	"github.com/expertflow/cxha/sandbox/lab"
	"github.com/expertflow/cxha/sandbox/site"
)

func main() { program().Main() }

func program() console.Program {
	return console.Program{
		Name: "cxha-lab", Noun: "lab", Keep: true, Short: "A cluster's real machines on one computer",
		Long: `cxha-lab runs the machines of a two-site cluster as real Debian hosts: systemd in systemd-nspawn, OpenSSH, and networks of the kernel
that no packet leaves, reached through a bastion on 127.0.0.1. It needs root on Linux. sandbox/lab/README.md says what is real and what is not.
`,
		Example: `  cxha-lab up --dir /tmp/lab --workers 3
  cxha apply /tmp/lab/blueprint --yes
  cxha-lab kubectl --dir /tmp/lab -- get nodes -o wide
  cxha-lab kill --dir /tmp/lab w1
  cxha-lab down --dir /tmp/lab --wipe`,
		Clean: func(ctx context.Context, p site.Paths) error { return lab.Clean(ctx, p) },
		Commands: func(a *console.App) []*cobra.Command {
			return []*cobra.Command{
				upCommand(a), serveCommand(a),
				a.HostCommand(site.Reboot, "Have a host boot again, and wait until it answers"),
				a.LinkCommand(site.CutLink, "Lose every packet between two hosts, or between all hosts of two sites", "cut-link a b"),
				a.LinkCommand(site.MendLink, "Undo cut-link and slow", "mend-link a b"),
				a.LinkCommand(site.Slow, "Limit what each host gets from the other, or from all hosts of the other site", "slow w1 w2 10mbit", "RATE"),
			}
		},
	}
}
