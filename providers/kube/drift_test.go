package kube_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/expertflow/cxha/providers/kube"
)

func TestIntegrationDriftOfAManifest(t *testing.T) {
	s := newSite(t, "release")
	playDeployments(t, s.api.client)
	s.manifest("web", webIn("release"))
	s.apply()
	// As charts write it: no namespace, a name twice.
	manifest := strings.ReplaceAll(strings.ReplaceAll(web, ", namespace: NAMESPACE", ""), "  namespace: NAMESPACE\n", "") + `
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
metadata: {name: gone}
---
apiVersion: example.org/v1
kind: Nothing
metadata: {name: at-all}
`
	manifest = strings.ReplaceAll(manifest, "NAMESPACE", "release")
	want := map[string]string{"ConfigMap/release/gone": "missing", "Nothing.example.org/at-all": "missing"}
	check := func() {
		t.Helper()
		probe(t, s.p, s.s, s.bp)
		got, err := s.p.Drift(t.Context(), s.s, manifest, "release")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	check()
	s.patch("deployments", "release", "web", `{"spec":{"replicas":5,"template":{"spec":{"containers":[{"name":"main","image":"none:2"}]}}}}`)
	s.patch("secrets", "release", "token", `{"stringData":{"password":"wrong horse"}}`)
	s.patch("configmaps", "release", "settings", `{"data":{"greeting":null,"own":"x"}}`)
	const container = `Deployment.apps/release/web spec.template.spec.containers["name=main"].`
	for key, text := range map[string]string{
		"Deployment.apps/release/web spec.replicas": "5, released 2",
		container + "image":                         "none:2, released none:1",
		container + "ports":                         "missing",
		container + "resources.requests":            "missing",
		"Secret/release/token data.password":        "differs",
		"ConfigMap/release/settings data.greeting":  "missing",
	} {
		want[key] = text
	}
	check()
}

func TestIntegrationDriftListsAKindOnce(t *testing.T) {
	s := newSite(t, "releases")
	namespace(t, s.api.client, "releases")
	s.manifest("m", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: releases}\n")
	s.apply()
	s.p = kube.New(kube.Options{Wrap: s.calls.wrap})
	s.calls.take()
	rs := compile(t, s.p, s.bp)
	var wg sync.WaitGroup
	for i := range 20 { // some of them begin before the probe does
		wg.Go(func() {
			got, err := s.p.Drift(t.Context(), s.s, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n", i), "releases")
			if err != nil || len(got) != 2 {
				t.Errorf("drift %v, %v", got, err)
			}
		})
	}
	if _, err := s.p.Probe(t.Context(), s.s, s.bp, rs); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	lists := map[string]int{}
	for _, call := range s.calls.take() {
		lists[call]++
	}
	for _, call := range []string{"GET /api/v1/configmaps", "GET /api/v1/services"} {
		if n := lists[call]; n == 0 || n > 2 { // services once of metadata, for the removals
			t.Errorf("%d calls %s, want 1 or 2: %v", n, call, lists)
		}
	}
}

func TestIntegrationRESTConfig(t *testing.T) {
	s := newSite(t, "config")
	type answer struct {
		config *rest.Config
		err    error
	}
	answered := make(chan answer, 1)
	go func() { // begins before the probe does
		config, err := s.p.RESTConfig(t.Context(), s.s)
		answered <- answer{config, err}
	}()
	probe(t, s.p, s.s, s.bp)
	got := <-answered
	if got.err != nil {
		t.Fatal(got.err)
	}
	client, err := kubernetes.NewForConfig(got.config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	if s.s.dials != 1 {
		t.Errorf("%d connections, want one for all", s.s.dials)
	}
	if !slices.Contains(s.calls.take(), "GET /api/v1/namespaces/kube-system") {
		t.Error("the call is not counted: the transport is another one")
	}
}

func TestRESTConfigTellsWhyNot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		session             *session
		notStarted, passing bool
	}{
		"RKE2 was never started": {&session{}, true, true},
		"host did not answer":    {&session{silent: true}, false, false},
		"no sense":               {&session{kubeconfig: "secret: ["}, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := kube.New(kube.Options{})
			probe(t, p, test.session, cluster(1))
			_, err := p.RESTConfig(t.Context(), test.session)
			if err == nil || kube.NotStarted(err) != test.notStarted || kube.Passing(err) != test.passing || strings.Contains(kube.Brief(err), "secret") {
				t.Errorf("error %v: not started %v, passing %v", err, kube.NotStarted(err), kube.Passing(err))
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("interrupted")
	cancel(gone)
	if _, err := kube.New(kube.Options{}).RESTConfig(ctx, &session{}); !errors.Is(err, gone) {
		t.Errorf("error %v, want that the wait for a probe ended", err)
	}
}
