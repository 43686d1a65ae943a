package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

const typeInventory = "kube.inventory"

// inventoryKind is the ConfigMap kube-system/cxha-inventory: one key per node. It is a hint, which finds the host of a worker
// that left the blueprint even when its Node is gone, and never decides what is there. An entry goes after its host was
// cleaned; one whose host is gone for good can be removed by hand.
type inventoryKind struct{ *Provider }

var entryType = cty.Object(map[string]cty.Type{
	"block":   cty.String, // block's address: worker.w1
	"address": cty.String,
	"user":    cty.String, // SSH user
	"port":    cty.Number, // SSH port
})

// Type describes kube.inventory.
func (inventoryKind) Type() providers.Type {
	return providers.Type{
		Name:   typeInventory,
		Doc:    "The ConfigMap " + systemNamespace + "/" + inventoryName + " tells how each node's host is reached, so that a host can still be found when its block has left the blueprint.",
		Object: cty.Object(map[string]cty.Type{"nodes": cty.Map(entryType)}),
		Cost:   0.1,
	}
}

// entry is what the inventory keeps of a node.
type entry struct {
	Block   schema.BlockAddr
	Address string // IP address of the host
	User    string
	Port    int
}

// entryJSON is an entry in the ConfigMap.
type entryJSON struct {
	Block   string `json:"block"`
	Address string `json:"address"`
	User    string `json:"user"`
	Port    int    `json:"port"`
}

func (e entry) encode() string {
	b, err := json.Marshal(entryJSON{Block: e.Block.String(), Address: e.Address, User: e.User, Port: e.Port})
	if err != nil {
		panic(fmt.Sprintf("inventory entry: %v; this is a bug in cxha", err))
	}
	return string(b)
}

// decodeEntry reads what encode writes. It refuses everything that could not be used to reach a host.
func decodeEntry(text string) (entry, error) {
	var j entryJSON
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return entry{}, fmt.Errorf("inventory entry: %w", err)
	}
	block, err := schema.ParseBlockAddr(j.Block)
	if err != nil {
		return entry{}, fmt.Errorf("inventory entry: %w", err)
	}
	addr, err := netip.ParseAddr(j.Address)
	switch {
	case err != nil:
		return entry{}, fmt.Errorf("inventory entry: %w", err)
	case j.User == "":
		return entry{}, errors.New("inventory entry: user is empty")
	case j.Port < 1 || j.Port > 65535:
		return entry{}, fmt.Errorf("inventory entry: port %d is not between 1 and 65535", j.Port)
	}
	return entry{Block: block, Address: addr.String(), User: j.User, Port: j.Port}, nil
}

func inventoryOf(bp *blueprint.Blueprint) map[string]entry {
	entries := map[string]entry{}
	for _, n := range bp.Nodes() {
		entries[n.Name] = entry{Block: n.Addr, Address: n.Address.String(), User: n.SSH.User, Port: n.SSH.Port}
	}
	return entries
}

func inventoryValue(entries map[string]entry) cty.Value {
	nodes := cty.MapValEmpty(entryType)
	if len(entries) > 0 {
		vs := map[string]cty.Value{}
		for name, e := range entries {
			vs[name] = cty.ObjectVal(map[string]cty.Value{
				"block": cty.StringVal(e.Block.String()), "address": cty.StringVal(e.Address), "user": cty.StringVal(e.User), "port": cty.NumberIntVal(int64(e.Port)),
			})
		}
		nodes = cty.MapVal(vs)
	}
	return cty.ObjectVal(map[string]cty.Value{"nodes": nodes})
}

// entriesOf reads what inventoryValue writes.
func entriesOf(v cty.Value) (map[string]entry, error) {
	entries := map[string]entry{}
	if v.IsNull() {
		return entries, nil
	}
	for it := v.GetAttr("nodes").ElementIterator(); it.Next(); {
		name, e := it.Element()
		block, err := schema.ParseBlockAddr(attr(e, "block"))
		if err != nil {
			return nil, fmt.Errorf("inventory: node %s: %w", name.AsString(), err)
		}
		port, _ := e.GetAttr("port").AsBigFloat().Int64()
		entries[name.AsString()] = entry{Block: block, Address: attr(e, "address"), User: attr(e, "user"), Port: int(port)}
	}
	return entries, nil
}

// live has the entries of the blueprint's nodes only; those of others are resources of their own: see found.
func (k inventoryKind) live(w *world, desired cty.Value) cty.Value {
	if w.inventory == nil {
		return absent(k)
	}
	live := map[string]entry{}
	for it := desired.GetAttr("nodes").ElementIterator(); it.Next(); {
		name, _ := it.Element()
		if e, ok := w.inventory[name.AsString()]; ok {
			live[name.AsString()] = e
		}
	}
	return inventoryValue(live)
}

// Apply writes the entries of After, and removes those that only Before has. Other entries are left alone: each is a key of
// its own in a merge patch.
func (k inventoryKind) Apply(ctx context.Context, s providers.Session, c plans.Change) (cty.Value, error) {
	before, err := entriesOf(c.Before)
	if err != nil {
		return cty.NilVal, err
	}
	after, err := entriesOf(c.After)
	if err != nil {
		return cty.NilVal, err
	}
	return k.apply(s, c, func(api call) (cty.Value, error) {
		err := api.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
			return writeInventory(ctx, client, before, after)
		})
		switch {
		case err != nil:
			return cty.NilVal, fmt.Errorf("configmap %s/%s: %w", systemNamespace, inventoryName, err)
		case c.After.IsNull():
			return absent(k), nil
		}
		return inventoryValue(after), nil
	})
}

func writeInventory(ctx context.Context, client *kubernetes.Clientset, before, after map[string]entry) error {
	data := map[string]any{}
	for name := range before {
		data[name] = nil
	}
	for name, e := range after {
		data[name] = e.encode()
	}
	maps := client.CoreV1().ConfigMaps(systemNamespace)
	_, err := maps.Patch(ctx, inventoryName, types.MergePatchType, mergePatch(map[string]any{"data": data}), metav1.PatchOptions{FieldManager: FieldManager})
	if !apierrors.IsNotFound(err) || len(after) == 0 {
		return ignoreNotFound(err)
	}
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: inventoryName, Labels: map[string]string{"app.kubernetes.io/managed-by": FieldManager}},
		Data:       map[string]string{},
	}
	for name, e := range after {
		cm.Data[name] = e.encode()
	}
	_, err = maps.Create(ctx, cm, metav1.CreateOptions{FieldManager: FieldManager})
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		// Somebody was faster, or the API server, just started, has not made its namespaces yet: the next attempt will do.
		return &retryError{err}
	}
	return err
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// readInventory turns the ConfigMap's data into entries; what cannot be read is no hint.
func readInventory(data map[string]string) map[string]entry {
	entries := map[string]entry{}
	for name, text := range data {
		if e, err := decodeEntry(text); err == nil {
			entries[name] = e
		}
	}
	return entries
}
