package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/console"
	"github.com/expertflow/cxha/sandbox/controlplane"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "component" {
		os.Exit(controlplane.Main(os.Args[2:], nil))
	}
	program().Main()
}

func program() console.Program {
	return console.Program{
		Name: "cxha-sandbox", Noun: "sandbox", Short: "A cluster's machines on one computer",
		Long: `cxha-sandbox runs the machines of a two-site cluster inside one process: SSH servers with a file system, a shell and
systemd on private networks that are reached through a bastion on 127.0.0.1. RKE2 on them is a stand-in that runs
the real etcd and Kubernetes control plane. sandbox/README.md says what is real and what is not.
`,
		Example: `  cxha-sandbox up --workers 2
  cxha apply .cxha-sandbox/blueprint --yes
  cxha-sandbox kubeconfig > kubeconfig && kubectl --kubeconfig kubeconfig get nodes
  cxha-sandbox kill w1
  cxha-sandbox down`,
		Commands: func(a *console.App) []*cobra.Command { return []*cobra.Command{upCommand(a), serveCommand(a)} },
	}
}
