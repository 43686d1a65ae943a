//go:build linux && !cgo

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/rke2/linuxnode"
	"github.com/expertflow/cxha/sandbox/rke2/release"
)

// nodeComponents are a node's components for [controlplane.Main]. They say that they are of the release's version.
func nodeComponents() map[string]controlplane.Run {
	return map[string]controlplane.Run{
		linuxnode.Kubelet: released(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
		linuxnode.Proxy:   released(proxy.NewProxyCommand),
	}
}

// sayRelease makes Kubernetes' code in this process say that it is of the release's version.
func sayRelease() error {
	version, err := release.Own()
	if err != nil {
		return err
	}
	return controlplane.SayVersion(version)
}

func released(newCommand func() *cobra.Command) controlplane.Run {
	return func(args []string) int {
		if err := sayRelease(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
			return 1
		}
		command := newCommand()
		command.SetArgs(args)
		return cli.Run(command)
	}
}
