package controlplane

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // the JSON log format of the components
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go's metrics, as in the components' own mains
	_ "k8s.io/component-base/metrics/prometheus/version"  // the version metric, as in the components' own mains
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"github.com/spf13/cobra"
)

// Subcommand is the first argument with which the sandbox's binary becomes one of the components:
// `cxha-sandbox component NAME ARGS...`. The main of every program that uses this package calls [Main] for it.
const Subcommand = "component"

// The components that [Main] knows.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok"
)

// Main runs the component named by the first argument until it ends and returns its exit code.
// The process dies as soon as its standard input is closed: the parent holds the other end, so that no component outlives it.
func Main(args []string) int {
	components := map[string]func(args []string) int{
		Etcd:              runEtcd,
		APIServer:         kubernetesComponent(apiserver.NewAPIServerCommand),
		ControllerManager: kubernetesComponent(controllermanager.NewControllerManagerCommand),
		Scheduler:         kubernetesComponent(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
		Kwok:              runKwok,
	}
	if len(args) == 0 || components[args[0]] == nil {
		names := make([]string, 0, len(components))
		for name := range components {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(os.Stderr, "usage: %s %s\n", Subcommand, strings.Join(names, "|"))
		return 2
	}
	go dieWithParent(os.Stdin)
	if os.Getenv("GOGC") == "" {
		// The components live for minutes on machines with few cores: memory is cheaper here than a fifth of the CPU time.
		debug.SetGCPercent(400)
	}
	if err := setVersion(); err != nil {
		fmt.Fprintf(os.Stderr, "component: %v\n", err)
		return 1
	}
	// The components' own libraries read os.Args (kwok's configuration, version texts).
	os.Args = append([]string{args[0]}, args[1:]...)
	return components[args[0]](args[1:])
}

// dieWithParent kills this process when the parent's end of the pipe is closed, which the kernel does when the parent dies.
func dieWithParent(stdin io.Reader) {
	if _, err := io.Copy(io.Discard, stdin); err != nil {
		fmt.Fprintf(os.Stderr, "component: standard input: %v\n", err)
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "component: the parent is gone: %v\n", err)
		os.Exit(1)
	}
}

func kubernetesComponent(newCommand func() *cobra.Command) func(args []string) int {
	return func(args []string) int {
		command := newCommand()
		command.SetArgs(args)
		return cli.Run(command)
	}
}
