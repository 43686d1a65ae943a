package kube_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/expertflow/cxha/providers/providertest"
)

func TestIntegrationObjectConforms(t *testing.T) {
	tests := map[string]struct {
		text   string
		drifts map[string][2]string // resource and patch
	}{
		"ConfigMap": {
			text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: conform, labels: {a: b}}\ndata: {one: \"1\"}\n",
			drifts: map[string][2]string{
				"a value":       {"configmaps", `{"data":{"one":"2"}}`},
				"a label":       {"configmaps", `{"metadata":{"labels":{"a":null}}}`},
				"the block":     {"configmaps", `{"metadata":{"annotations":{"cxha.io/block":"manifest.other"}}}`},
				"the mark gone": {"configmaps", `{"metadata":{"labels":{"cxha.io/cluster":null}}}`},
			},
		},
		"Secret": {
			text:   "apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: conform}\nstringData: {password: hunter2}\n",
			drifts: map[string][2]string{"a value": {"secrets", `{"stringData":{"password":"other"}}`}},
		},
		"Service": {
			text: "apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: conform}\nspec: {selector: {a: b}, ports: [{port: 80}]}\n",
			drifts: map[string][2]string{
				"a selector": {"services", `{"spec":{"selector":{"a":"c"}}}`},
				"a port":     {"services", `{"spec":{"ports":[{"port":81}]}}`},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "conform")
			namespace(t, s.api.client, "conform")
			s.manifest("m", test.text)
			c := providertest.CallCase{Provider: s.p, Blueprint: s.bp, Session: s.s, Resource: objectsOf(compile(t, s.p, s.bp))[0], Drifts: map[string]func(*testing.T){}}
			for drift, patch := range test.drifts {
				c.Drifts[drift] = func(*testing.T) { s.patch(patch[0], "conform", "x", patch[1]) }
			}
			providertest.RunCalls(t, c)
		})
	}
}

func TestIntegrationObjectOutlivesARestartOfTheAPI(t *testing.T) {
	s := newSite(t, "restart")
	namespace(t, s.api.client, "restart")
	s.manifest("m", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: restart}\n")
	c := s.plan()[`manifest.m/kube.object["ConfigMap/restart/x"]`]
	s.s.fail(errors.New("connect failed: Connection refused"))
	done := applying(t, s.p, s.s, c)
	eventually(t, "progress about the API", func() bool { return s.s.said("waiting for the Kubernetes API: the API server does not answer") })
	s.s.fail(nil)
	ended(t, done)
	s.settled()
}

// Many objects cost the calls for each, and one look at which kinds there are.
func TestIntegrationApplyReadsTheKindsOnce(t *testing.T) {
	s := newSite(t, "kinds")
	namespace(t, s.api.client, "kinds")
	var text strings.Builder
	const n = 30
	for i := range n {
		fmt.Fprintf(&text, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d, namespace: kinds}\n", i)
	}
	s.manifest("m", text.String())
	s.calls.take()
	s.applyTogether()
	calls := s.calls.take()
	kinds, hints := 0, 0
	for _, call := range calls {
		switch call {
		case "GET /apis":
			kinds++
		case "PATCH /api/v1/namespaces/kube-system/configmaps/cxha-inventory":
			hints++
		}
	}
	if kinds != 1 {
		t.Errorf("the kinds were read %d times by a plan and an apply, want once", kinds)
	}
	if hints == 0 || hints > n/2 {
		t.Errorf("%d hints written for %d objects of one kind", hints, n)
	}
	if len(calls) > 3*n+40 {
		t.Errorf("%d calls for %d objects", len(calls), n)
	}
	s.settled()
	s.remove("m")
	s.applyTogether()
	if left, err := s.api.client.CoreV1().ConfigMaps("kinds").List(t.Context(), metav1.ListOptions{}); err != nil || len(left.Items) > 0 {
		t.Errorf("%d left, %v", len(left.Items), err)
	}
}

func TestIntegrationKeep(t *testing.T) {
	s := newSite(t, "keep")
	namespace(t, s.api.client, "keep")
	const text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: keep}\n"
	s.manifest("m", text).Keep = true
	s.apply()
	s.patch("configmaps", "keep", "x", `{"metadata":{"annotations":{"cxha.io/keep":"false"}}}`)
	if got := drift(s.plan()[`manifest.m/kube.object["ConfigMap/keep/x"]`]); got != "keep: cty.False -> cty.True" {
		t.Errorf("the annotation changed: %q", got)
	}
	s.apply()
	s.manifest("m", text)
	if got := drift(s.plan()[`manifest.m/kube.object["ConfigMap/keep/x"]`]); got != "keep: cty.True -> cty.False" {
		t.Errorf("keep left the blueprint: %q", got)
	}
	s.apply()
	s.patch("configmaps", "keep", "x", `{"metadata":{"annotations":{"cxha.io/keep":"true"}}}`)
	s.settled() // by hand is as good as by the blueprint
	s.remove("m")
	s.settled()
}
