//go:build linux && !cgo

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"google.golang.org/grpc/grpclog"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/rke2"
	"github.com/expertflow/cxha/sandbox/rke2/linuxhost"
	"github.com/expertflow/cxha/sandbox/rke2/linuxnode"
	"github.com/expertflow/cxha/sandbox/rke2/release"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == controlplane.Subcommand {
		os.Exit(controlplane.Main(os.Args[2:], nodeComponents()))
	}
	switch filepath.Base(os.Args[0]) {
	case linuxnode.Kubectl:
		os.Exit(runKubectl())
	case linuxnode.Kubelet:
		os.Exit(nodeComponents()[linuxnode.Kubelet](os.Args[1:]))
	default:
		// The client of etcd tells by this of every connection that it gives up.
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr))
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(run(ctx))
	}
}

// runKubectl is kubectl of the release's version; its result is the exit code.
func runKubectl() int {
	if err := sayRelease(); err != nil {
		fmt.Fprintf(os.Stderr, "kubectl: %v\n", err)
		return 1
	}
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err) // prints it as kubectl does, and exits
	}
	return 0
}

// run is the rke2 command on this host; its result is the exit code.
func run(ctx context.Context) int {
	version, err := release.Own()
	if err != nil {
		fmt.Fprintf(os.Stderr, "rke2: %v\n", err)
		return 1
	}
	host, err := linuxhost.New()
	if err != nil {
		fmt.Fprintf(os.Stderr, "rke2: %v\n", err)
		return 1
	}
	program := rke2.Program{
		Version: version, Host: host, StartNode: linuxnode.Start, Deploys: linuxnode.Deploys, Effective: linuxnode.Effective(),
	}
	return program.Run(ctx, rke2.Invocation{
		Args: os.Args[1:], Env: environment(), Stdout: os.Stdout, Stderr: os.Stderr, Notify: func() {
			if err := linuxhost.Notify(); err != nil {
				fmt.Fprintf(os.Stderr, "rke2: %v\n", err)
			}
		},
	})
}

func environment() map[string]string {
	env := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	return env
}
