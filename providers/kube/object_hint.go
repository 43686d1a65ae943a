package kube

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// hintPrefix begins the keys of the inventory that tell of which kinds cxha applied objects: _kind.KIND[.GROUP]. No node has
// such a name. Objects of kinds that the blueprint has no more are found by them.
const hintPrefix = "_kind."

func readHints(data map[string]string) []kschema.GroupKind {
	var kinds []kschema.GroupKind
	for _, key := range keys(data) {
		if name, ok := strings.CutPrefix(key, hintPrefix); ok {
			kinds = append(kinds, kschema.ParseGroupKind(name))
		}
	}
	return kinds
}

// knowledge is what a probe learnt for the changes after it.
type knowledge struct {
	cluster string
	bundles map[schema.BlockAddr]bundle
	hints   map[kschema.GroupKind]bool
}

// removalTimeout is how long an object may take to go away whose block, with its own timeout, is gone.
const removalTimeout = 5 * time.Minute

// remember keeps what changes need to know of the blueprint.
func (c *conn) remember(bp *blueprint.Blueprint) {
	k := knowledge{cluster: bp.Cluster.Name, bundles: map[schema.BlockAddr]bundle{}, hints: map[kschema.GroupKind]bool{}}
	for _, b := range bundlesOf(bp) {
		k.bundles[b.Addr] = b
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = k
}

// rememberHints keeps which hints are written already.
func (c *conn) rememberHints(kinds []kschema.GroupKind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range kinds {
		c.known.hints[k] = true
	}
}

// bundleOf returns the block of an object; of one that left the blueprint only its address.
func (c *conn) bundleOf(addr schema.BlockAddr) bundle {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.known.bundles[addr]
	if !ok || b.Timeout <= 0 {
		b.Timeout = removalTimeout
	}
	b.Addr = addr
	return b
}

// cluster is the value of the mark.
func (c *conn) cluster() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known.cluster
}

// hint records a kind in the inventory, before the first object of it is made.
func (c *conn) hint(ctx context.Context, client *kubernetes.Clientset, kind kschema.GroupKind) error {
	c.hinting.Lock() // changes of other objects of the kind wait, and find it written
	defer c.hinting.Unlock()
	c.mu.Lock()
	written := c.known.hints[kind]
	c.mu.Unlock()
	if written {
		return nil
	}
	if err := writeHint(ctx, client, hintPrefix+kind.String(), ""); err != nil {
		return err
	}
	c.rememberHints([]kschema.GroupKind{kind})
	return nil
}

// writeHint sets a key of the inventory, which is made where there is none. Somebody else may make it at the same time.
func writeHint(ctx context.Context, client *kubernetes.Clientset, key, text string) error {
	data := mergePatch(map[string]any{"data": map[string]any{key: text}})
	maps := client.CoreV1().ConfigMaps(systemNamespace)
	patch := func() error {
		_, err := maps.Patch(ctx, inventoryName, types.MergePatchType, data, metav1.PatchOptions{FieldManager: FieldManager})
		return err
	}
	err := patch()
	if !apierrors.IsNotFound(err) {
		return err
	}
	_, err = maps.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: inventoryName, Labels: map[string]string{"app.kubernetes.io/managed-by": FieldManager}},
		Data:       map[string]string{key: text},
	}, metav1.CreateOptions{FieldManager: FieldManager})
	switch {
	case apierrors.IsAlreadyExists(err):
		return patch()
	case apierrors.IsNotFound(err): // the API server, just started, has not made its namespaces yet
		return &retryError{err}
	}
	return err
}
