package kube_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/plans"
)

// What a plan shows of an update is what the apply changes, exactly: neither less nor more, whoever set the fields before. The plan
// after it is empty.
func TestIntegrationPlanIsWhatChanges(t *testing.T) {
	s := newSite(t, "random")
	playWorkloads(t, s.api.client)
	namespace(t, s.api.client, "random")
	client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL, BearerToken: server.Token, TLSClientConfig: rest.TLSClientConfig{CAData: server.CA}, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.manifest("crd", randomGadgets)
	s.apply()
	seed := rand.Uint64()
	if text := os.Getenv("CXHA_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	w := &randomWorld{site: s, client: client, random: r, kinds: map[string]randomKind{}}
	defer w.release()
	changed := 0
	w.state()
	s.applyTogether()
	for range 3 {
		w.meddle()
		w.state()
		changed += w.compare()
		if t.Failed() {
			return
		}
	}
	if changed < 20 {
		t.Errorf("only %d objects were changed: the test proves little", changed)
	}
}

// randomWorld are the objects of the test.
type randomWorld struct {
	*site
	client *dynamic.DynamicClient
	random *rand.Rand
	kinds  map[string]randomKind // by name of the object
	texts  map[string]string
}

// release lets the objects go when the next test empties the cluster.
func (w *randomWorld) release() {
	for name, k := range w.kinds {
		_, err := w.client.Resource(k.gvr).Namespace("random").Patch(w.t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		if err != nil {
			w.t.Error(err)
		}
	}
}

// state gives the blueprint new random objects.
func (w *randomWorld) state() {
	w.texts = map[string]string{}
	var text strings.Builder
	for i := range 6 * len(randomKinds) {
		k := randomKinds[i%len(randomKinds)]
		name := fmt.Sprintf("x%d", i)
		w.kinds[name] = k
		b, err := yaml.Marshal(k.object(w.random, name))
		if err != nil {
			w.t.Fatal(err)
		}
		w.texts[name] = string(b)
		text.WriteString("---\n" + string(b))
	}
	w.manifest("m", text.String())
}

// meddle changes objects as people do by hand, and as others do who apply fields of their own.
func (w *randomWorld) meddle() {
	for _, name := range slices.Sorted(maps.Keys(w.kinds)) {
		k := w.kinds[name]
		api := w.client.Resource(k.gvr).Namespace("random")
		for range w.random.IntN(3) {
			other := k.options[w.random.IntN(len(k.options))].text(w.random)
			manager, typ, body := "kubectl-edit", types.MergePatchType, other
			if w.random.IntN(2) == 0 {
				o := mergedWith(parsed(strings.ReplaceAll(`{"metadata":{"name":"NAME"}}`, "NAME", name)), parsed(other)).(map[string]any)
				base := parsed(k.base)
				o["apiVersion"], o["kind"] = base["apiVersion"], base["kind"]
				b, err := yaml.Marshal(o)
				if err != nil {
					w.t.Fatal(err)
				}
				manager, typ, body = "kubectl", types.ApplyPatchType, string(b)
			}
			force := true
			options := metav1.PatchOptions{FieldManager: manager}
			if typ == types.ApplyPatchType {
				options.Force = &force
			}
			// Many of them do not fit the object as it is, which is no matter.
			_, _ = api.Patch(w.t.Context(), name, typ, []byte(body), options)
		}
	}
}

func (w *randomWorld) live(name string) map[string]any {
	w.t.Helper()
	o, err := w.client.Resource(w.kinds[name].gvr).Namespace("random").Get(w.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return ofNoServer(o)
}

// ofNoServer is an object without what the server and cxha write for themselves.
func ofNoServer(o *unstructured.Unstructured) map[string]any {
	delete(o.Object, "status")
	meta := o.Object["metadata"].(map[string]any)
	for _, name := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"} {
		delete(meta, name)
	}
	for _, field := range []string{"labels", "annotations"} {
		m, _ := meta[field].(map[string]any)
		for name := range m {
			if strings.HasPrefix(name, "cxha.io/") {
				delete(m, name)
			}
		}
		if len(m) == 0 {
			delete(meta, field)
		}
	}
	return byKeys(o.Object, "").(map[string]any)
}

// listKeys are those of the API's own schema, written down here anew.
var listKeys = map[string][]string{
	"containers": {"name"}, "env": {"name"}, "volumes": {"name"}, "parts": {"id", "side"}, "spec.ports": {"port", "protocol"}, "containers.ports": {"containerPort", "protocol"},
}

// byKeys makes objects of lists with keys, and drops nulls.
func byKeys(v any, path string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if e != nil {
				out[k] = byKeys(e, path+"."+k)
			}
		}
		return out
	case []any:
		if strings.HasSuffix(path, ".tags") || strings.HasSuffix(path, ".finalizers") {
			out := map[string]any{}
			for _, e := range v {
				out[e.(string)] = e
			}
			return out
		}
		for at, names := range listKeys {
			if !strings.HasSuffix(path, "."+at) {
				continue
			}
			out := map[string]any{}
			var order []any
			for _, e := range v {
				var parts []string
				for _, n := range names {
					parts = append(parts, fmt.Sprintf("%s=%v", n, e.(map[string]any)[n]))
				}
				key := strings.Join(parts, ",")
				out[key], order = byKeys(e, path), append(order, key)
			}
			if len(out) == len(v) {
				out["(order)"] = order
				return out
			}
		}
		out := []any{}
		for _, e := range v {
			out = append(out, byKeys(e, path+"[]"))
		}
		return out
	}
	return v
}

// changes are the leaves in which two states differ, as "before -> after" by path.
func changes(path string, b, a any, found map[string]string) {
	bm, ok1 := b.(map[string]any)
	am, ok2 := a.(map[string]any)
	if ok1 && ok2 {
		for k := range maps.Keys(mergedWith(bm, am).(map[string]any)) {
			if k == "(order)" {
				ob, oa := inBoth(bm[k], am), inBoth(am[k], bm)
				changes(path+".order", ob, oa, found)
				continue
			}
			changes(path+"."+k, bm[k], am[k], found)
		}
		return
	}
	bl, ok1 := b.([]any)
	al, ok2 := a.([]any)
	if ok1 && ok2 && len(al) == len(bl) {
		for i := range al {
			changes(fmt.Sprintf("%s.%d", path, i), bl[i], al[i], found)
		}
		return
	}
	before, after := map[string]string{}, map[string]string{}
	leaves(path, b, before)
	leaves(path, a, after)
	for p := range maps.Keys(mergedTexts(before, after)) {
		if before[p] != after[p] {
			found[p] = before[p] + " -> " + after[p]
		}
	}
}

func inBoth(order any, other map[string]any) []any {
	list, _ := order.([]any)
	return slices.DeleteFunc(slices.Clone(list), func(k any) bool { _, ok := other[k.(string)]; return !ok })
}

func mergedTexts(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func leaves(path string, v any, found map[string]string) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		if len(v) == 0 {
			found[path] = "{}"
		}
		for k, e := range v {
			if k != "(order)" {
				leaves(path+"."+k, e, found)
			}
		}
	case []any:
		if len(v) == 0 {
			found[path] = "[]"
		}
		for i, e := range v {
			leaves(fmt.Sprintf("%s.%d", path, i), e, found)
		}
	default:
		found[path] = fmt.Sprint(v)
	}
}

// compare applies the plan and compares it with what changed.
func (w *randomWorld) compare() int {
	w.t.Helper()
	before := map[string]map[string]any{}
	for name := range w.kinds {
		before[name] = w.live(name)
	}
	planned := w.plan()
	for addr, err := range w.refused {
		w.t.Errorf("%s is refused: %v", addr, err)
	}
	w.applyTogether()
	count := 0
	for name, k := range w.kinds {
		real := map[string]string{}
		changes("", before[name], w.live(name), real)
		kind := parsed(k.base)["kind"].(string)
		if k.gvr.Group != "" {
			kind += "." + k.gvr.Group
		}
		shown := map[string]string{}
		c, ok := planned[fmt.Sprintf(`manifest.m/kube.object["%s/random/%s"]`, kind, name)]
		if ok {
			count++
			for _, a := range plans.Attrs(c.Before, c.After) {
				path := strings.NewReplacer(`["`, ".", `"]`, "", "[", ".", "]", "").Replace(strings.TrimPrefix(a.Path, "content"))
				changes(path, plainly(a.Before), plainly(a.After), shown)
			}
		}
		for path, text := range shown { // what only the apply decides
			if was, open := strings.CutSuffix(text, "<unknown>"); open && strings.HasPrefix(real[path], was) {
				shown[path] = real[path]
			}
		}
		if diff := cmp.Diff(real, shown); diff != "" {
			w.t.Errorf("%s %s: what changed and what the plan showed (-real +plan):\n%s\nwanted:\n%s\nbefore: %v", kind, name, diff, w.texts[name], before[name])
		}
	}
	w.settled()
	return count
}

// plainly is a value in Go's terms.
func plainly(v cty.Value) any {
	v, _ = v.UnmarkDeep()
	ty := v.Type()
	switch {
	case !v.IsKnown():
		return "<unknown>"
	case v.IsNull():
		return nil
	case ty == cty.String:
		return v.AsString()
	case ty == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case ty == cty.Bool:
		return v.True()
	case ty.IsObjectType():
		out := map[string]any{}
		for k, e := range v.AsValueMap() {
			out[k] = plainly(e)
		}
		return out
	}
	out := []any{}
	for _, e := range v.AsValueSlice() {
		out = append(out, plainly(e))
	}
	return out
}
