package rke2_test

import (
	"strings"
	"testing"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
)

// What stands in a blueprint in plain words is shown when it changes, though its file is root's alone; what says that it is a secret is not.
func TestOnlySecretsAreHidden(t *testing.T) {
	t.Parallel()
	rs := providertest.Compile(t, rke2.New(rke2.Options{}), sample())
	for name, c := range map[string]struct {
		resource string
		live     string
		hidden   bool
	}{
		"manifest":                  {`control_plane.cp1/rke2.manifest["rke2-canal-config.yaml"]`, "kind: HelmChartConfig\nspec: {valuesContent: \"loadBalancerIP: 10.0.0.1\"}\n", false},
		"manifest with a Secret":    {`control_plane.cp1/rke2.manifest["rke2-canal-config.yaml"]`, "apiVersion: v1\nkind: Secret\ndata: {a: aGk=}\n", true},
		"manifest with a password":  {`control_plane.cp1/rke2.manifest["rke2-canal-config.yaml"]`, "spec:\n  valuesContent: |\n    adminPassword: hunter2\n", true},
		"manifest of a secret name": {`control_plane.cp1/rke2.manifest["rke2-canal-config.yaml"]`, "spec:\n  secretName: tls\n", false},
		"drop-in":                   {`worker.w1/rke2.drop_in["50-kubelet.yaml"]`, "kubelet-arg: [max-pods=60]\n", false},
		"drop-in with a token":      {`worker.w1/rke2.drop_in["50-kubelet.yaml"]`, "token: hunter2\n", true},
		"drop-in with a file":       {`worker.w1/rke2.drop_in["50-kubelet.yaml"]`, "token-file: /etc/x\n", false},
		"drop-in, in one line":      {`worker.w1/rke2.drop_in["50-kubelet.yaml"]`, `{debug: true, "etcd-s3-secret-key": "hunter2"}` + "\n", true},
		"registries":                {"worker.w1/rke2.registries", "mirrors: {}\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rs[c.resource]
			v, err := providertest.Kind(t, rke2.New(rke2.Options{}), r.Addr.Type).Answer(r, providers.Reply{Stdout: fileLine([]byte(c.live))})
			if err != nil {
				t.Fatal(err)
			}
			d, err := plans.Diff(r.Desired, v, plans.DiffOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range d.Attrs {
				if a.Path == "content" && a.Sensitive != c.hidden {
					t.Errorf("sensitive is %v, want %v", a.Sensitive, c.hidden)
				}
			}
			if len(d.Attrs) == 0 || !strings.Contains(d.Attrs[0].Path, "content") {
				t.Errorf("differs %v, want the content", d.Attrs)
			}
		})
	}
}
