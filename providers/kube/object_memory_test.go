package kube_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

const slow = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: slow, namespace: default, annotations: {test/broken: "yes"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: slow}}
  template:
    metadata: {labels: {app: slow}}
    spec: {containers: [{name: main, image: "none:1"}]}
`

// A run that did not see an object ready leaves work for the next one, until the object is.
func TestIntegrationMissedReadinessIsNotForgotten(t *testing.T) {
	s := newSite(t, "missed")
	namespace(t, s.api.client, "default")
	playDeployments(t, s.api.client)
	s.manifest("m", slow).Timeout = time.Second
	const addr = `manifest.m/kube.object["Deployment.apps/default/slow"]`
	if _, err := apply(t, s.p, s.s, s.plan()[addr]); err == nil {
		t.Fatal("an object that is never ready was applied well")
	}
	c := s.plan()[addr]
	if c.Action != plans.Update || drift(c) != "unready: cty.True -> null" {
		t.Fatalf("%s %s, want an update because it is not ready", c.Action, drift(c))
	}
	if _, err := apply(t, s.p, s.s, c); err == nil {
		t.Error("waiting for it again went well, and it is not ready")
	}
	s.manifest("m", strings.Replace(slow, ", annotations: {test/broken: \"yes\"}", "", 1))
	s.apply()
	d, err := s.api.client.AppsV1().Deployments("default").Get(t.Context(), "slow", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := d.Annotations["cxha.io/waiting"]; ok {
		t.Errorf("the mark of waiting is still there: %q", got)
	}
}

// What a block comes after is remembered by its objects, so that they go first when both blocks do.
func TestIntegrationOrderOfRemovalIsRemembered(t *testing.T) {
	s := newSite(t, "order")
	namespace(t, s.api.client, "default")
	configMap := func(name string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: default}\n"
	}
	s.manifest("db", configMap("order-db"))
	db := schema.BlockAddr{Type: "manifest", Name: "db"}
	s.manifest("client", configMap("order-client")).DependsOn = []blueprint.Ref{{To: db}}
	s.apply()
	s.remove("client")
	s.remove("db")
	obs := probe(t, s.p, s.s, s.bp)
	got := map[string][]schema.BlockAddr{}
	for _, r := range obs.Found {
		got[r.Addr.Block.Name] = obs.Live[r.Addr].After
	}
	if diff := cmp.Diff(map[string][]schema.BlockAddr{"client": {db}, "db": nil}, got); diff != "" {
		t.Errorf("what the objects remember (-want +got):\n%s", diff)
	}
}
