package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Status is the cluster as step 6 of the guide looks at it. Its JSON form is stable and only grows.
type Status struct {
	Cluster                 string       `json:"cluster"`
	Reason                  string       `json:"reason,omitempty"` // why the API could not be asked; then Nodes is empty
	Nodes                   []NodeStatus `json:"nodes"`            // control plane first, then by name
	Missing                 []string     `json:"missing"`          // nodes of the blueprint that are not registered
	Unexpected              []string     `json:"unexpected"`       // registered nodes that are not in the blueprint
	ControlPlanePods        []PodStatus  `json:"control_plane_pods"`
	ControlPlaneEndpoints   []string     `json:"control_plane_endpoints"` // Services, as namespace/name, with a ready endpoint there
	LastSnapshot            *Snapshot    `json:"last_snapshot"`           // null: none is known to the API
	ControlPlaneSchedulable bool         `json:"control_plane_schedulable"`
}

// NodeStatus is one registered node.
type NodeStatus struct {
	Name             string    `json:"name"`
	Roles            []string  `json:"roles"`
	Status           string    `json:"status"` // Ready or NotReady, with ",SchedulingDisabled" where cordoned, as kubectl has it
	Reason           string    `json:"reason,omitempty"`
	Version          string    `json:"version"`
	InternalIP       string    `json:"internal_ip"`
	Zone             string    `json:"zone"`
	Created          time.Time `json:"created"`
	AgeSeconds       int64     `json:"age_seconds"`
	Taints           []string  `json:"taints"` // key=value:effect
	OSImage          string    `json:"os_image"`
	KernelVersion    string    `json:"kernel_version"`
	ContainerRuntime string    `json:"container_runtime"`
	InBlueprint      bool      `json:"in_blueprint"`
}

// PodStatus is a pod on the control plane that is not part of it.
type PodStatus struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`

	// Tolerates tells that the pod tolerates the control plane's taint: it is not moved, and its Service has an endpoint that
	// nobody withdraws when the control plane is lost (domain.md §6.5).
	Tolerates bool `json:"tolerates"`
}

// Snapshot is the newest usable snapshot of etcd that RKE2 has recorded.
type Snapshot struct {
	Name       string    `json:"name"`
	Node       string    `json:"node"`
	Location   string    `json:"location"` // file: or s3: address
	Created    time.Time `json:"created"`
	AgeSeconds int64     `json:"age_seconds"`
}

// Ready reports whether all nodes of the blueprint are there and Ready, and no Service depends on a control plane that is kept
// free of workloads: nobody would withdraw its endpoint while that node is lost (domain.md §6.5).
func (s *Status) Ready() bool {
	if s.Reason != "" || len(s.Missing) > 0 || !s.ControlPlaneSchedulable && len(s.ControlPlaneEndpoints) > 0 {
		return false
	}
	return !slices.ContainsFunc(s.Nodes, func(n NodeStatus) bool { return n.InBlueprint && !strings.HasPrefix(n.Status, "Ready") })
}

// Status reads the cluster's state; it needs the reply to the provider's fact. A cluster that cannot be asked is told by
// Status.Reason, not by an error.
func (p *Provider) Status(ctx context.Context, s providers.Session, bp *blueprint.Blueprint) (*Status, error) {
	st := &Status{Cluster: bp.Cluster.Name, Nodes: []NodeStatus{}, Missing: []string{}, Unexpected: []string{}, ControlPlanePods: []PodStatus{}, ControlPlaneEndpoints: []string{}, ControlPlaneSchedulable: bp.ControlPlane.Schedulable}
	client, err := p.open(s, bp.ControlPlane.Name).fromFact()
	if err == nil {
		err = p.within(ctx, func(ctx context.Context) error { return p.read(ctx, client, bp, st) })
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, errNotStarted):
		st.Reason = "RKE2 has not been started on the control plane: " + err.Error()
	case err != nil:
		st.Reason = brief(err)
	}
	return st, nil
}

func (p *Provider) read(ctx context.Context, client *kubernetes.Clientset, bp *blueprint.Blueprint, st *Status) error {
	nodes, err := listNodes(ctx, client)
	if err != nil {
		return err
	}
	var pods []corev1.Pod
	var snapshot *Snapshot
	err = together(
		func() (err error) { pods, err = listPods(ctx, client, bp.ControlPlane.Name); return err },
		func() (err error) { snapshot, err = p.lastSnapshot(ctx, client); return err },
		func() (err error) {
			st.ControlPlaneEndpoints, err = endpointsOn(ctx, client, bp.ControlPlane.Name)
			return err
		},
	)
	if err != nil {
		return err
	}
	st.LastSnapshot = snapshot
	for i := range pods {
		if movable(&pods[i]) {
			st.ControlPlanePods = append(st.ControlPlanePods, PodStatus{Namespace: pods[i].Namespace, Name: pods[i].Name, Tolerates: toleratesIsolation(&pods[i])})
		}
	}
	wanted := inventoryOf(bp)
	for _, name := range keys(nodes) {
		_, in := wanted[name]
		row := nodeStatus(nodes[name], p.options.Now())
		row.InBlueprint = in
		st.Nodes = append(st.Nodes, row)
		if !in {
			st.Unexpected = append(st.Unexpected, name)
		}
	}
	for _, name := range keys(wanted) {
		if nodes[name] == nil {
			st.Missing = append(st.Missing, name)
		}
	}
	slices.SortStableFunc(st.Nodes, func(a, b NodeStatus) int {
		return cmp.Compare(rank(a, bp), rank(b, bp))
	})
	return nil
}

func rank(n NodeStatus, bp *blueprint.Blueprint) int {
	if n.Name == bp.ControlPlane.Name {
		return 0
	}
	return 1
}

// nodeStatus reads a node as kubectl get nodes -o wide does.
func nodeStatus(n *corev1.Node, now time.Time) NodeStatus {
	const rolePrefix = "node-role.kubernetes.io/"
	row := NodeStatus{
		Name: n.Name, Roles: []string{}, Status: "Ready", Version: n.Status.NodeInfo.KubeletVersion, InternalIP: internalIP(n), Zone: n.Labels[zoneLabel],
		Created: n.CreationTimestamp.UTC(), AgeSeconds: seconds(now, n.CreationTimestamp.Time), Taints: []string{},
		OSImage: n.Status.NodeInfo.OSImage, KernelVersion: n.Status.NodeInfo.KernelVersion, ContainerRuntime: n.Status.NodeInfo.ContainerRuntimeVersion,
	}
	for _, key := range keys(n.Labels) {
		if role, ok := strings.CutPrefix(key, rolePrefix); ok && role != "" {
			row.Roles = append(row.Roles, role)
		}
	}
	if ready, why := readiness(n); !ready {
		row.Status, row.Reason = "NotReady", why
	}
	if n.Spec.Unschedulable {
		row.Status += ",SchedulingDisabled"
	}
	for _, t := range n.Spec.Taints {
		row.Taints = append(row.Taints, t.ToString())
	}
	slices.Sort(row.Taints)
	return row
}

func seconds(now, then time.Time) int64 {
	return max(0, int64(now.Sub(then)/time.Second))
}

// snapshotList is what cxha reads of RKE2's ETCDSnapshotFile objects (k3s.cattle.io/v1).
type snapshotList struct {
	Items []struct {
		Spec struct {
			SnapshotName string `json:"snapshotName"`
			NodeName     string `json:"nodeName"`
			Location     string `json:"location"`
		} `json:"spec"`
		Status struct {
			CreationTime time.Time `json:"creationTime"`
			ReadyToUse   *bool     `json:"readyToUse"`
		} `json:"status"`
	} `json:"items"`
}

// lastSnapshot returns nil where RKE2 has recorded none, or has not made the type of its records yet.
func (p *Provider) lastSnapshot(ctx context.Context, client *kubernetes.Clientset) (*Snapshot, error) {
	b, err := client.Discovery().RESTClient().Get().AbsPath("/apis/k3s.cattle.io/v1/etcdsnapshotfiles").SetHeader("Accept", "application/json").DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newestSnapshot(b, p.options.Now())
}

func newestSnapshot(b []byte, now time.Time) (*Snapshot, error) {
	var list snapshotList
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("etcdsnapshotfiles: %w", err)
	}
	var last *Snapshot
	for _, item := range list.Items {
		usable := item.Status.ReadyToUse != nil && *item.Status.ReadyToUse
		if !usable || last != nil && !item.Status.CreationTime.After(last.Created) {
			continue
		}
		created := item.Status.CreationTime.UTC()
		last = &Snapshot{Name: item.Spec.SnapshotName, Node: item.Spec.NodeName, Location: item.Spec.Location, Created: created, AgeSeconds: seconds(now, created)}
	}
	return last, nil
}
