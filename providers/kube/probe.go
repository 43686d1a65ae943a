package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// world is the part of the cluster that the kinds look at.
type world struct {
	nodes     map[string]*corev1.Node
	inventory map[string]entry        // nil: there is no ConfigMap
	hints     []kschema.GroupKind     // kinds of which cxha applied objects, as the inventory remembers them
	ran       map[string]string       // Jobs that ran and removed themselves, as the inventory remembers them
	pods      map[string][]corev1.Pod // of the nodes whose pods were asked for
}

// Probe reads the nodes, the inventory and, where the control plane is isolated, its pods: three calls on one connection,
// however many nodes there are. One more follows for each node that left the blueprint. Objects cost one list per kind, however
// many there are, and a dry run for each that differs.
func (p *Provider) Probe(ctx context.Context, s providers.Session, bp *blueprint.Blueprint, rs []providers.Resource) (providers.Observation, error) {
	kinds := map[string]kind{}
	for _, k := range p.kinds() {
		kinds[k.Type().Name] = k
	}
	for _, r := range rs {
		if kinds[r.Addr.Type] == nil {
			return providers.Observation{}, fmt.Errorf("resource %s: is not of the kube provider; this is a bug in cxha", r.Addr)
		}
	}
	c, end := p.beginProbe(s, bp.ControlPlane.Name)
	defer end()
	c.remember(bp)
	client, err := c.fromFact()
	if errors.Is(err, errNotStarted) {
		return everything(rs, func(k schema.Addr) providers.Live { return providers.Live{Value: absent(kinds[k.Type])} }), nil
	}
	var w *world
	var notes []string
	if err == nil {
		err = p.within(ctx, func(ctx context.Context) (err error) {
			if w, err = look(ctx, client, bp, rs); err != nil {
				return err
			}
			notes, err = ingressNotes(ctx, client, bp)
			return err
		})
	}
	if err != nil {
		if ctx.Err() != nil {
			return providers.Observation{}, context.Cause(ctx)
		}
		unseen := providers.Live{Unknown: "Kubernetes API: " + brief(err), Deferred: transient(err)}
		return everything(rs, func(schema.Addr) providers.Live { return unseen }), nil
	}
	obs := found(w, bp)
	obs.Notes = append(obs.Notes, notes...)
	var objects []providers.Resource
	for _, r := range rs {
		if r.Addr.Type == typeObject {
			objects = append(objects, r)
			continue
		}
		obs.Live[r.Addr] = providers.Live{Value: kinds[r.Addr.Type].live(w, r.Desired)}
	}
	if len(objects) == 0 && !mayHaveObjects(w, bp) {
		return obs, nil
	}
	if err := p.observeObjects(ctx, c, observing{bp: bp, world: w, resources: objects}, &obs); err != nil {
		return providers.Observation{}, err
	}
	return obs, nil
}

// within runs fn for no longer than a probe may take.
func (p *Provider) within(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.options.ProbeTimeout)
	defer cancel()
	err := fn(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &retryError{fmt.Errorf("no answer for %s", p.options.ProbeTimeout)}
	}
	return err
}

func everything(rs []providers.Resource, live func(schema.Addr) providers.Live) providers.Observation {
	obs := providers.Observation{Live: map[schema.Addr]providers.Live{}}
	for _, r := range rs {
		obs.Live[r.Addr] = live(r.Addr)
	}
	return obs
}

// look reads the world.
func look(ctx context.Context, client *kubernetes.Clientset, bp *blueprint.Blueprint, rs []providers.Resource) (*world, error) {
	w := &world{pods: map[string][]corev1.Pod{}}
	isolated := ""
	for _, r := range rs {
		if r.Addr.Type == typeIsolation {
			isolated = nodeOf(r.Desired)
		}
	}
	// The first call opens the connection, which the others share.
	var err error
	if w.nodes, err = listNodes(ctx, client); err != nil {
		return nil, err
	}
	var pods []corev1.Pod
	err = together(
		func() error { return w.readInventory(ctx, client) },
		func() (err error) {
			if isolated != "" {
				pods, err = listPods(ctx, client, isolated)
			}
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	w.pods[isolated] = pods
	for _, n := range removedNodes(w, bp) {
		if w.pods[n.Name], err = listPods(ctx, client, n.Name); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// together runs the functions at the same time and returns the first error in their order.
func together(fns ...func() error) error {
	errs := make([]error, len(fns))
	var wg sync.WaitGroup
	for i, fn := range fns {
		wg.Go(func() { errs[i] = fn() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func listNodes(ctx context.Context, client *kubernetes.Clientset) (map[string]*corev1.Node, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	nodes := make(map[string]*corev1.Node, len(list.Items))
	for i := range list.Items {
		nodes[list.Items[i].Name] = &list.Items[i]
	}
	return nodes, nil
}

// readInventory reads what the inventory remembers.
func (w *world) readInventory(ctx context.Context, client *kubernetes.Clientset) error {
	cm, err := client.CoreV1().ConfigMaps(systemNamespace).Get(ctx, inventoryName, metav1.GetOptions{})
	if err != nil {
		return ignoreNotFound(err)
	}
	w.inventory, w.hints, w.ran = readInventory(cm.Data), readHints(cm.Data), readRan(cm.Data)
	return nil
}
