package kube

import (
	"context"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
)

const typeNode = "kube.node"

type nodeKind struct{ *Provider }

// Type describes kube.node.
func (nodeKind) Type() providers.Type {
	return providers.Type{
		Name: typeNode,
		Doc: "The node is registered in the Kubernetes API, Ready, and not left cordoned by a removal that was not finished; removing it also removes the secret " +
			"that ties its name to its host.",
		Object: cty.Object(map[string]cty.Type{
			"node":       cty.String, // the node's name
			"registered": cty.Bool,
			"ready":      cty.Bool,   // null for a node that is to be removed: it does not matter there
			"address":    cty.String, // the node's internal IP address
			"cordoned":   cty.Bool,   // by a removal of cxha's that was not finished; null for a node that is to be removed
		}),
		Cost: 30,
	}
}

func nodeValue(name, address string, ready, cordoned cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"node": cty.StringVal(name), "registered": cty.True, "ready": ready, "address": cty.StringVal(address), "cordoned": cordoned,
	})
}

func (k nodeKind) live(w *world, desired cty.Value) cty.Value {
	n := w.nodes[nodeOf(desired)]
	if n == nil {
		return absent(k)
	}
	return nodeValue(n.Name, addressAs(n, desired.GetAttr("address").AsString()), cty.BoolVal(isReady(n)), cty.BoolVal(leftCordoned(n)))
}

// addressAs returns the wanted address if the node has it, or none yet: kubelet reports its addresses a moment after it registered.
func addressAs(n *corev1.Node, wanted string) string {
	found := wanted
	for _, a := range n.Status.Addresses {
		switch {
		case a.Type != corev1.NodeInternalIP:
		case a.Address == wanted:
			return wanted
		case found == wanted:
			found = a.Address
		}
	}
	return found
}

// Explain refuses a node that is registered from another machine: the new one could not join under its name (domain.md
// §2.13), and the old one would be forgotten with RKE2 on it.
func (k nodeKind) Explain(c plans.Change) (plans.Reason, error) {
	if c.Before.IsNull() || c.After.IsNull() {
		return c.Reason, nil
	}
	is, wanted := c.Before.GetAttr("address").AsString(), c.After.GetAttr("address").AsString()
	if is == wanted {
		if c.Before.GetAttr("ready").True() && c.Before.GetAttr("cordoned").True() {
			c.Reason.Text = "left cordoned by a removal that was not finished: it takes pods again"
		}
		return c.Reason, nil
	}
	return c.Reason, fmt.Errorf("the node is registered with the address %s, and the blueprint has %s; "+
		"if it shall move to another machine, take its block out of the blueprint and apply, so that the old machine is drained and cleaned, then put it in again; "+
		"if it is the same machine with a new address, run `kubectl delete node %s` and apply: it registers anew", is, wanted, nodeOf(c.After))
}

// Apply waits until the node is Ready and lets it take pods again, or removes it.
func (k nodeKind) Apply(ctx context.Context, s providers.Session, c plans.Change) (cty.Value, error) {
	name, err := target(c)
	if err != nil {
		return cty.NilVal, err
	}
	return k.apply(s, c, func(api call) (cty.Value, error) {
		if c.After.IsNull() {
			return absent(k), api.removeNode(ctx, name)
		}
		if err := api.awaitReady(ctx, name); err != nil {
			return cty.NilVal, err
		}
		return c.After, api.uncordonAfterRemoval(ctx, name)
	})
}

// removeNode deletes the node and the secret with the hash of its host's password (domain.md §2.13), without which a host
// set up anew under this name could not join. Older versions of RKE2 leave the secret behind.
func (c call) removeNode(ctx context.Context, name string) error {
	return c.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
		if err := client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("node %s: %w", name, err)
		}
		secret := name + ".node-password.rke2"
		if err := client.CoreV1().Secrets(systemNamespace).Delete(ctx, secret, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("secret %s/%s: %w", systemNamespace, secret, err)
		}
		return nil
	})
}

// awaitReady watches the node until it is Ready.
func (c call) awaitReady(ctx context.Context, name string) error {
	limit := c.options.NodeTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not Ready after %s", limit))
	defer cancel()
	w := &nodeWait{name: name, tell: func(text string) { c.progress("%s", text) }}
	woken := false
	for {
		client, version, err := c.lookAt(ctx, w)
		if err == nil && !w.registered && !woken {
			woken, err = c.wake(ctx, name)
		}
		if err == nil && !w.ready {
			c.follow(ctx, client, version, w)
		}
		switch {
		case w.ready:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("node %s: %w: %s", name, context.Cause(ctx), w.text)
		case err != nil:
			return fmt.Errorf("node %s: %w", name, err)
		}
	}
}

// lookAt reads the node's state, and the version of the list from which on it can be followed.
func (c call) lookAt(ctx context.Context, w *nodeWait) (client *kubernetes.Clientset, version string, err error) {
	err = c.do(ctx, func(ctx context.Context, cl *kubernetes.Clientset) error {
		list, err := cl.CoreV1().Nodes().List(ctx, metav1.ListOptions{FieldSelector: w.selector()})
		if err != nil {
			return err
		}
		client, version = cl, list.ResourceVersion
		if len(list.Items) == 0 {
			w.see(nil)
		} else {
			w.see(&list.Items[0])
		}
		return nil
	})
	return client, version, err
}

// follow watches the node until it is Ready or the watch ends, as watches do by themselves now and then: the caller looks again.
func (c call) follow(ctx context.Context, client *kubernetes.Clientset, version string, w *nodeWait) {
	// A connection that went silent is given up after this time.
	limit := attemptTimeout
	if !w.registered {
		limit = unregisteredLook
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	events, err := client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{FieldSelector: w.selector(), ResourceVersion: version})
	if err != nil {
		// The next look waits for the server and reports what is wrong; this pause keeps it from being asked too often.
		_ = pause(ctx, 500*time.Millisecond)
		return
	}
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-events.ResultChan():
			n, isNode := event.Object.(*corev1.Node)
			if !ok || !isNode { // the end, or an error event
				return
			}
			if event.Type == watch.Deleted {
				n = nil
			}
			if w.see(n); w.ready {
				return
			}
		}
	}
}

// unregisteredLook is how often the host of a node that is not registered is looked at.
const unregisteredLook = 5 * time.Second

// nodeWait is what is known of a node that is waited for.
type nodeWait struct {
	name       string
	registered bool
	ready      bool
	text       string // why it is not Ready
	tell       func(text string)
}

func (w *nodeWait) selector() string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, w.name).String()
}

// see takes a newer state of the node; nil means that there is none.
func (w *nodeWait) see(n *corev1.Node) {
	w.registered, w.ready, w.text = n != nil, false, "not registered yet"
	if n != nil {
		w.ready, w.text = readiness(n)
	}
	if !w.ready {
		w.tell(w.text)
	}
}

func isReady(n *corev1.Node) bool {
	ready, _ := readiness(n)
	return ready
}

// readiness returns whether the node is Ready and, where not, why in its condition's own words.
func readiness(n *corev1.Node) (ready bool, why string) {
	for _, c := range n.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		if c.Status == corev1.ConditionTrue {
			return true, ""
		}
		why := "not Ready"
		if c.Reason != "" {
			why += ": " + c.Reason
		}
		if c.Message != "" {
			why += ": " + c.Message
		}
		return false, why
	}
	return false, "registered, and no report of its kubelet yet"
}
