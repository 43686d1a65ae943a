package kube_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/expertflow/cxha/schema/blueprint"
)

const claimed = `
apiVersion: v1
kind: Namespace
metadata: {name: claims}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: claims-disk}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Delete
  storageClassName: none
  hostPath: {path: /var/lib/none}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: claims}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: none
  volumeName: claims-disk
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: claims}
`

func TestIntegrationDataStaysWhenItsBlockGoes(t *testing.T) {
	s := newSite(t, "claims")
	s.manifest("m", claimed)
	changes := s.plan()
	for _, addr := range s.order(changes) {
		if strings.Contains(addr, "PersistentVolumeClaim") {
			continue // nobody binds it here, so it would be waited for
		}
		if _, err := apply(t, s.p, s.s, changes[addr]); err != nil {
			t.Fatalf("apply %s: %v", addr, err)
		}
	}
	mark := `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data","labels":{"cxha.io/cluster":"claims"},"annotations":{"cxha.io/block":"manifest.m"}},
"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"none","volumeName":"claims-disk","resources":{"requests":{"storage":"1Gi"}}}}`
	s.applyAs("cxha", "/api/v1/namespaces/claims/persistentvolumeclaims/data", mark)

	s.remove("m")
	if diff := cmp.Diff(`delete manifest.m/kube.object["ConfigMap/claims/settings"]`, s.plan().actions()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	notes := strings.Join(probe(t, s.p, s.s, s.bp).Notes, "\n")
	for _, want := range []string{
		"Namespace claims is no longer in the blueprint and stays, because data would go with it: PersistentVolumeClaim data",
		"PersistentVolume claims-disk is no longer in the blueprint and stays with its data.",
		"PersistentVolumeClaim claims/data is no longer in the blueprint and stays with its data (volume claims-disk, reclaim policy Delete). " +
			"To delete both: `kubectl delete persistentvolumeclaim data -n claims`. To keep it and hear no more of it: `kubectl label persistentvolumeclaim data -n claims cxha.io/cluster-`",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes:\n%s\nwant in them: %s", notes, want)
		}
	}
}

func TestIntegrationDefinitionStaysWhileItsKindIsUsed(t *testing.T) {
	s := newSite(t, "used")
	in := strings.NewReplacer("GROUP", "used.example.org")
	s.manifest("m", in.Replace(gadgets))
	s.apply()
	s.applyAs("somebody", "/apis/used.example.org/v1/namespaces/default/gadgets/mine", in.Replace(`{"apiVersion":"GROUP/v1","kind":"Gadget","metadata":{"name":"mine"}}`))
	s.remove("m")
	if got := s.plan().actions(); got != "" {
		t.Errorf("a definition is planned for removal, and somebody's object would go with it:\n%s", got)
	}
	notes := strings.Join(probe(t, s.p, s.s, s.bp).Notes, "\n")
	if want := "stays, because these would go with it: Gadget default/mine"; !strings.Contains(notes, want) {
		t.Errorf("notes %q, want %q in them", notes, want)
	}
	if err := s.api.client.RESTClient().Delete().AbsPath("/apis/used.example.org/v1/namespaces/default/gadgets/mine").Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	if got := s.plan().actions(); !strings.Contains(got, "delete ") {
		t.Errorf("plan %q, want the removal of the definition, which nobody uses any more", got)
	}
	s.apply()
}

func TestIntegrationGeneratedObjectHasASuccessor(t *testing.T) {
	s := newSite(t, "generated")
	namespace(t, s.api.client, "default")
	dir := t.TempDir()
	settings := func(value string) {
		write(t, dir, "kustomization.yaml", "namespace: default\nconfigMapGenerator:\n- name: settings\n  literals: [a="+value+"]\n")
	}
	s.bp.Kustomizations = []blueprint.Kustomization{{Common: common("kustomization", "k"), Path: dir}}
	settings("1")
	s.apply()
	first := only(t, configMaps(t, s, "settings-"))
	settings("2")
	obs := probe(t, s.p, s.s, s.bp)
	if len(obs.Found) != 1 || obs.Found[0].Addr.Key != "ConfigMap/default/"+first {
		t.Fatalf("found %v, want the first version", obs.Found)
	}
	if got := obs.Found[0].Successor; got.IsZero() || got.Key == obs.Found[0].Addr.Key {
		t.Errorf("successor %s, want the second version", got)
	}
	s.bp.Kustomizations = nil
	for _, r := range probe(t, s.p, s.s, s.bp).Found {
		if !r.Successor.IsZero() {
			t.Errorf("%s has the successor %s, and nothing takes its place", r.Addr, r.Successor)
		}
	}
}

func configMaps(t *testing.T, s *site, prefix string) []string {
	t.Helper()
	list, err := s.api.client.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{LabelSelector: "cxha.io/cluster=" + s.bp.Cluster.Name})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range list.Items {
		if strings.HasPrefix(m.Name, prefix) {
			names = append(names, m.Name)
		}
	}
	return names
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func only(t *testing.T, names []string) string {
	t.Helper()
	if len(names) != 1 {
		t.Fatalf("%v, want one", names)
	}
	return names[0]
}
