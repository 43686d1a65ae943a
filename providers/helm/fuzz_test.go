package helm_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/schema"
)

// FuzzFindChart: no index of a repository makes the reader fail in another way than by an error.
func FuzzFindChart(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.0.0, urls: [a.tgz]}\n"), "a", "1.0.0")
	f.Add([]byte("entries: {a: [null, {version: 1.0.0}, {version: 1.0.0, urls: ['']}]}"), "a", "1.0.0")
	f.Add([]byte("entries: [1]"), "a", "1.0.0")
	f.Fuzz(func(t *testing.T, index []byte, name, version string) {
		url, err := helm.FindChart(index, name, version)
		if err == nil && url == "" {
			t.Errorf("chart %q %q has no address", name, version)
		}
	})
}

// FuzzIsLoopback: only what is certainly this machine is spoken to without TLS.
func FuzzIsLoopback(f *testing.F) {
	for _, s := range []string{"oci://127.0.0.1:5000/a", "oci://localhost/a", "oci://[::1]:5000/a", "oci://127.0.0.1.nip.cx/a", "oci://localhost@host/a", "oci://registry/127.0.0.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) { helm.IsLoopback(address) })
}

// FuzzBlockLabel: every block's address becomes a label's value, and no two the same.
func FuzzBlockLabel(f *testing.F) {
	f.Add("cx", "", "cx", "a")
	f.Add("cx", "a/b c", "cx", "a_b_c")
	f.Add("cx", "äöü", "cx", "..")
	f.Fuzz(func(t *testing.T, name1, key1, name2, key2 string) {
		a, b := schema.BlockAddr{Type: "helm_release", Name: name1, Key: key1}, schema.BlockAddr{Type: "helm_release", Name: name2, Key: key2}
		x, y := helm.LabelOf(a), helm.LabelOf(b)
		if errs := validation.IsValidLabelValue(x); len(errs) > 0 {
			t.Errorf("label %q of %s: %v", x, a, errs)
		}
		if (x == y) != (a.String() == b.String()) {
			t.Errorf("labels %q and %q of %s and %s", x, y, a, b)
		}
	})
}

// FuzzValues: what a release's record has is what the blueprint said, for any values there are.
func FuzzValues(f *testing.F) {
	f.Add([]byte(`{"a": 1, "b": [1.5, null, "x", {"c~/d": true}], "e": {}, "f": []}`))
	f.Add([]byte(`{"n": 9007199254740993, "s": "(null)"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		ty, err := ctyjson.ImpliedType(text)
		if err != nil || !ty.IsObjectType() {
			t.Skip()
		}
		v, err := ctyjson.Unmarshal(text, ty)
		if err != nil {
			t.Skip()
		}
		values, err := helm.HelmValues(v)
		if err != nil {
			t.Skip() // a number that is none to a computer
		}
		record, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		dec := json.NewDecoder(bytes.NewReader(record))
		dec.UseNumber() // as records are read
		if err := dec.Decode(&config); err != nil {
			t.Fatal(err)
		}
		live, err := helm.LiveValues(config)
		if err != nil {
			t.Fatal(err)
		}
		side := func(v cty.Value) cty.Value { return object(map[string]cty.Value{"values": v}) }
		delta, err := plans.Diff(side(helm.DesiredValues(v)), side(live), plans.DiffOptions{})
		if err != nil || delta.Action != plans.NoOp {
			t.Errorf("values %s are recorded as %s: %v, %v", text, record, delta.Attrs, err)
		}
		secret := helm.DesiredValues(v.Mark(schema.Sensitive))
		if hidden := helm.Hide(live, secret, nil); !hidden.HasMark(schema.Sensitive) {
			t.Errorf("%#v is not hidden as a whole", hidden)
		}
		if at := helm.Pointers(helm.DesiredValues(v)); len(at) != 0 {
			t.Errorf("secrets at %v in values without any", at)
		}
	})
}

func FuzzRecord(f *testing.F) {
	text := []byte(`{"name": "x", "info": {"status": "deployed"}, "config": {"n": 1234567890123456789}, "manifest": "a: b"}`)
	f.Add([]byte(base64.StdEncoding.EncodeToString(text)))
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(text); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(base64.StdEncoding.EncodeToString(zipped.Bytes())))
	f.Fuzz(func(t *testing.T, data []byte) {
		values, _, err := helm.ReadRecord(data)
		if err != nil {
			return
		}
		if _, err := helm.LiveValues(values); err != nil {
			t.Errorf("values %v: %v", values, err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: }\n---\nkind: List\napiVersion: v1\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: b}}, 1]\n")
	f.Add("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {volumes: [{secret: {secretName: x}}, 1], containers: [{env: [{valueFrom: {secretKeyRef: {name: 1}}}]}]}}}\n")
	f.Add("# Source: a\n- x\n---\n{}\n--- \n")
	f.Fuzz(func(t *testing.T, manifest string) {
		if ids, _ := helm.ReadManifest(manifest, "cx"); len(ids) > 0 && slices.Contains(ids, "") {
			t.Errorf("an object has no id: %q", ids)
		}
	})
}
