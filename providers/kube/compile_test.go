package kube_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema/blueprint"
)

// edges is the readable form of what a provider compiled.
func edges(rs []providers.Resource) string {
	var lines []string
	for _, r := range rs {
		line := r.Addr.String()
		for _, e := range r.After {
			line += " <- " + e.To.String()
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func TestCompileOrder(t *testing.T) {
	t.Parallel()
	want := `cluster.cx/kube.inventory <- control_plane.cp1/kube.node
control_plane.cp1/kube.isolation <- control_plane.cp1/kube.taints <- worker.w1/kube.node <- worker.w2/kube.node
control_plane.cp1/kube.labels <- control_plane.cp1/kube.node
control_plane.cp1/kube.node <- control_plane.cp1/rke2.service
control_plane.cp1/kube.taints <- control_plane.cp1/kube.node
worker.w1/kube.labels <- worker.w1/kube.node
worker.w1/kube.node <- worker.w1/rke2.service
worker.w1/kube.taints <- worker.w1/kube.node
worker.w2/kube.labels <- worker.w2/kube.node
worker.w2/kube.node <- worker.w2/rke2.service
worker.w2/kube.taints <- worker.w2/kube.node
`
	if diff := cmp.Diff(want, edges(compile(t, kube.New(kube.Options{}), cluster(2)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCompileSchedulableControlPlaneIsNotIsolated(t *testing.T) {
	t.Parallel()
	bp := cluster(1)
	bp.ControlPlane.Schedulable = true
	for _, r := range compile(t, kube.New(kube.Options{}), bp) {
		switch r.Addr.String() {
		case "control_plane.cp1/kube.isolation":
			t.Error("a schedulable control plane has kube.isolation")
		case "control_plane.cp1/kube.taints":
			if n := r.Desired.GetAttr("taints").LengthInt(); n != 0 {
				t.Errorf("a schedulable control plane has %d taints, want none", n)
			}
		}
	}
}

func TestCompileValuesHaveTheKindsTypes(t *testing.T) {
	t.Parallel()
	p := kube.New(kube.Options{})
	types := map[string]providers.Type{}
	for _, k := range p.Kinds() {
		types[k.Type().Name] = k.Type()
		if _, ok := k.(providers.CallKind); !ok {
			t.Errorf("%s is no CallKind", k.Type().Name)
		}
	}
	for _, r := range compile(t, p, cluster(2)) {
		if want := types[r.Addr.Type].Object; !r.Desired.Type().Equals(want) {
			t.Errorf("%s: desired is %#v, want %#v", r.Addr, r.Desired.Type(), want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		labels map[string]string
		taints []blueprint.Taint
		want   string
	}{
		"a label of kubelet's":     {labels: map[string]string{"kubernetes.io/hostname": "x"}, want: "Label that cannot be set"},
		"cxha's own mark":          {labels: map[string]string{"cxha.io/cluster": "x"}, want: "Label that cannot be set"},
		"a zone that is no site":   {labels: map[string]string{"topology.kubernetes.io/zone": "z"}, want: "Label contradicts the site"},
		"a label key with a space": {labels: map[string]string{"a b": "x"}, want: "Invalid label key"},
		"a label value":            {labels: map[string]string{"a": "x/y"}, want: "Invalid label value"},
		"a taint of the cluster's": {taints: []blueprint.Taint{{Key: "node.kubernetes.io/not-ready", Effect: "NoExecute"}}, want: "Taint that cannot be set"},
		"a taint twice":            {taints: []blueprint.Taint{{Key: "a", Value: "1", Effect: "NoExecute"}, {Key: "a", Value: "2", Effect: "NoExecute"}}, want: "Taint given twice"},
		"a taint key":              {taints: []blueprint.Taint{{Key: "-a", Effect: "NoExecute"}}, want: "Invalid taint key"},
		"a taint value":            {taints: []blueprint.Taint{{Key: "a", Value: "x y", Effect: "NoExecute"}}, want: "Invalid taint value"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp := cluster(1)
			bp.Workers[0].Labels, bp.Workers[0].Taints = test.labels, test.taints
			_, diags := kube.New(kube.Options{}).Compile(bp)
			if len(diags) != 1 || diags[0].Summary != test.want || !strings.Contains(diags[0].Detail, "w1") {
				t.Errorf("diagnostics %v, want one: %s", diags, test.want)
			}
		})
	}
}

func TestProbeWithoutAPI(t *testing.T) {
	t.Parallel()
	const kubeconfig = `{"apiVersion":"v1","kind":"Config","current-context":"default","contexts":[{"name":"default","context":{"cluster":"default","user":"default"}}],
"clusters":[{"name":"default","cluster":{"server":"https://127.0.0.1:6443"}}],"users":[{"name":"default","user":{"token":"t"}}]}`
	tests := map[string]struct {
		session  *session
		unknown  string // part of the reason; empty: everything is absent
		deferred bool
	}{
		"RKE2 was never started":    {session: &session{}},
		"host did not answer":       {session: &session{silent: true, kubeconfig: kubeconfig}, unknown: "the control plane's host did not answer"},
		"API server is down":        {session: &session{kubeconfig: kubeconfig, down: errors.New("connect failed: Connection refused")}, unknown: "the API server does not answer at 127.0.0.1:6443: connect failed", deferred: true},
		"kubeconfig makes no sense": {session: &session{kubeconfig: "secret: ["}, unknown: "/etc/rancher/rke2/rke2.yaml is not a kubeconfig"},
		"host was lost in between":  {session: &session{kubeconfig: kubeconfig, gone: errors.New("host cp1: connection lost")}, unknown: "host cp1: connection lost"},
		"kubeconfig cannot be read": {session: &session{exit: 1}, unknown: "cannot be read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp := cluster(2)
			p := kube.New(kube.Options{})
			obs := probe(t, p, test.session, bp)
			if got, want := len(obs.Live), len(compile(t, p, bp)); got != want {
				t.Errorf("%d live values, want %d", got, want)
			}
			for addr, live := range obs.Live {
				if test.unknown == "" && (live.Unknown != "" || !live.Value.IsNull()) {
					t.Errorf("%s: %#v, want absent", addr, live)
				}
				if !strings.Contains(live.Unknown, test.unknown) || live.Deferred != test.deferred || strings.Contains(live.Unknown, "secret") {
					t.Errorf("%s: %q (deferred %v), want %q (%v)", addr, live.Unknown, live.Deferred, test.unknown, test.deferred)
				}
			}
			st, err := p.Status(t.Context(), test.session, bp)
			if err != nil {
				t.Fatal(err)
			}
			if st.Ready() || test.unknown != "" && !strings.Contains(st.Reason, test.unknown) {
				t.Errorf("status: ready %v, reason %q; want not ready because of %q", st.Ready(), st.Reason, test.unknown)
			}
		})
	}
}

func TestApplyNeedsAProbe(t *testing.T) {
	t.Parallel()
	p := kube.New(kube.Options{})
	bp := cluster(1)
	_, err := apply(t, p, &session{}, change(t, p, bp, providers.Observation{}, "worker.w1/kube.node"))
	if want := "kubernetes API: the session was not probed before a change; this is a bug in cxha"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
