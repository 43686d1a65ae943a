package controlplane

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwokcmd "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
	"sigs.k8s.io/yaml"
)

// runKwok is the kwok component: the heart of one node, and the life of the pods that are scheduled to it.
func runKwok(args []string) int {
	// Kubernetes' components put a --version of another type into the global flags, which cobra would take for kwok's.
	pflag.CommandLine = pflag.NewFlagSet(Kwok, pflag.ContinueOnError)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx := signals.SetupSignalContext()
	ctx, _ = kwoklog.InitFlags(ctx, flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	if err != nil {
		fmt.Fprintf(os.Stderr, "kwok: %v\n", err)
		return 1
	}
	command := kwokcmd.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	keepLease(command)
	command.SetArgs(args)
	if err := command.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "kwok: %v\n", err)
		return 1
	}
	return 0
}

// NotReadyAnnotation on a pod keeps it from becoming ready; its value is the reason that the containers wait for, such as
// CrashLoopBackOff. So does an image whose tag is "broken", with the reason ImagePullBackOff.
const NotReadyAnnotation = "sandbox.cxha.io/not-ready"

// kwokStages is kwok's configuration: its own stages for nodes that become Ready and keep their lease, and for pods that
// run at once, complete when they belong to a Job and go when they are deleted; and one for pods that are not to be ready.
func kwokStages() (string, error) {
	ready, err := exceptBroken(podfast.DefaultPodReady)
	if err != nil {
		return "", err
	}
	return strings.Join([]string{
		nodefast.DefaultNodeInit,
		heartbeat.DefaultNodeHeartbeatWithLease,
		ready,
		podBroken,
		podfast.DefaultPodComplete,
		podfast.DefaultPodDelete,
	}, "\n---\n"), nil
}

// Queries for what keeps a pod from being ready.
const (
	brokenImage      = `.spec.containers.[] | select(.image | endswith(":broken")) | .name`
	brokenAnnotation = `.metadata.annotations.["` + NotReadyAnnotation + `"]`
)

// exceptBroken adds to a stage's selector that the pod is one that can be ready.
func exceptBroken(stage string) (string, error) {
	var object map[string]any
	if err := yaml.Unmarshal([]byte(stage), &object); err != nil {
		return "", fmt.Errorf("stage: %w", err)
	}
	conditions, found, err := unstructured.NestedSlice(object, "spec", "selector", "matchExpressions")
	if err != nil || !found {
		return "", fmt.Errorf("stage: no expressions to select pods by: %w", err)
	}
	for _, query := range []string{brokenImage, brokenAnnotation} {
		conditions = append(conditions, map[string]any{"key": query, "operator": "DoesNotExist"})
	}
	if err := unstructured.SetNestedSlice(object, conditions, "spec", "selector", "matchExpressions"); err != nil {
		return "", err
	}
	encoded, err := yaml.Marshal(object)
	return string(encoded), err
}

// podBroken are the stages for a pod whose image cannot be pulled, and for one that its annotation keeps from being ready.
const podBroken = `apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-broken-image}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: .status.phase, operator: In, values: [Pending]}
    - {key: '.status.containerStatuses.[].state.waiting.reason', operator: DoesNotExist}
    - {key: '` + brokenImage + `', operator: Exists}
  next:
    event: {type: Warning, reason: Failed, message: 'Failed to pull image: not found'}
    statusTemplate: |
      {{ $now := Now }}
      conditions:
      - {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
      - {type: Ready, status: "False", lastTransitionTime: {{ $now | Quote }}, reason: ContainersNotReady, message: an image cannot be pulled}
      - {type: ContainersReady, status: "False", lastTransitionTime: {{ $now | Quote }}, reason: ContainersNotReady, message: an image cannot be pulled}
      containerStatuses:
      {{ range .spec.containers }}
      - image: {{ .image | Quote }}
        imageID: ""
        name: {{ .name | Quote }}
        ready: false
        started: false
        restartCount: 0
        state: {waiting: {reason: ImagePullBackOff, message: {{ printf "Back-off pulling image \"%s\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"%s\": not found" .image .image | Quote }}}}
      {{ end }}
      phase: Pending
      startTime: {{ $now | Quote }}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-not-ready}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: .status.phase, operator: In, values: [Pending]}
    - {key: '.status.containerStatuses.[].state.waiting.reason', operator: DoesNotExist}
    - {key: '` + brokenImage + `', operator: DoesNotExist}
    - {key: '` + brokenAnnotation + `', operator: Exists}
  next:
    event: {type: Warning, reason: BackOff, message: Back-off restarting failed container}
    statusTemplate: |
      {{ $now := Now }}
      {{ $reason := index .metadata.annotations "` + NotReadyAnnotation + `" }}
      conditions:
      - {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
      - {type: Ready, status: "False", lastTransitionTime: {{ $now | Quote }}, reason: ContainersNotReady, message: a container waits}
      - {type: ContainersReady, status: "False", lastTransitionTime: {{ $now | Quote }}, reason: ContainersNotReady, message: a container waits}
      containerStatuses:
      {{ range .spec.containers }}
      - image: {{ .image | Quote }}
        imageID: ""
        name: {{ .name | Quote }}
        ready: false
        started: false
        restartCount: 3
        state: {waiting: {reason: {{ $reason | Quote }}, message: {{ printf "container %s is kept from being ready" .name | Quote }}}}
      {{ end }}
      phase: Pending
      startTime: {{ $now | Quote }}
`
