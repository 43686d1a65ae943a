package controlplane

import (
	"fmt"
	"io"
	"maps"
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

// Run is a component's main: its result is the exit code.
type Run func(args []string) int

// Main runs the component named by the first argument until it ends and returns its exit code. A program can have more components
// than the control plane's.
// The process dies as soon as its standard input is closed: the parent holds the other end, so that no component outlives it.
func Main(args []string, more map[string]Run) int {
	components := map[string]Run{
		Etcd:              runEtcd,
		APIServer:         kubernetesComponent(apiserver.NewAPIServerCommand),
		ControllerManager: kubernetesComponent(controllermanager.NewControllerManagerCommand),
		Scheduler:         kubernetesComponent(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
		Kwok:              runKwok,
	}
	maps.Copy(components, more)
	if len(args) == 0 || components[args[0]] == nil {
		names := slices.Sorted(maps.Keys(components))
		fmt.Fprintf(os.Stderr, "usage: %s %s\n", Subcommand, strings.Join(names, "|"))
		return 2
	}
	go dieWithParent(os.Stdin)
	if os.Getenv("GOGC") == "" {
		// The components live for minutes on machines with few cores: memory is cheaper here than a fifth of the CPU time.
		debug.SetGCPercent(400)
	}
	if err := SayVersion(Version); err != nil {
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

func kubernetesComponent(newCommand func() *cobra.Command) Run {
	return func(args []string) int {
		command := newCommand()
		command.SetArgs(args)
		return cli.Run(command)
	}
}
