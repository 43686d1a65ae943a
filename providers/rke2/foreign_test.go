package rke2_test

import (
	"strings"
	"testing"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
)

// TestFilesBesideTheConfigurationAreSeen has files in config.yaml.d that the blueprint does not know.
func TestFilesBesideTheConfigurationAreSeen(t *testing.T) {
	t.Parallel()
	const dir = "/etc/rancher/rke2/config.yaml.d"
	note := func(name, sets string) string {
		return dir + "/" + name + " of w1 was not made by cxha; RKE2 reads it after config.yaml, and it sets " + sets + ". Move it away, or declare it as a drop_in of the node."
	}
	for name, test := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"none":       {nil, nil},
		"one":        {map[string]string{"99-x.yaml": "# mine\\nkubelet-arg:\\n  - max-pods=9\\ntoken: s3cret\\nnode-label+: [a=b]\\n"}, []string{note("99-x.yaml", "kubelet-arg, token, node-label")}},
		"empty":      {map[string]string{"99-x.yaml": ""}, []string{note("99-x.yaml", "nothing")}},
		"two":        {map[string]string{"a.yaml": "debug: true\\n", "b c.yaml": "debug: true\\n"}, []string{note("a.yaml", "debug"), note("b c.yaml", "debug")}},
		"not read":   {map[string]string{"99-x.yml": "debug: true\\n", "x.yaml.bak": "debug: true\\n"}, nil},
		"beside our": {map[string]string{"50-kubelet.yml": "", "60.yaml": "cni: none\\n"}, []string{note("60.yaml", "cni")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, ours := cases(t)["agent config"], cases(t)["drop-in"]
			check := func(t *testing.T, host func(*testing.T) providertest.Runner) {
				run := host(t)
				providertest.Converge(t, run, ours.Kind, ours.Resource)
				providertest.Converge(t, run, config.Kind, config.Resource)
				for file, text := range test.files {
					if reply, err := run(t.Context(), "printf '"+text+"' > '"+dir+"/"+file+"'\n"); err != nil || reply.Exit != 0 {
						t.Fatal(reply, err)
					}
				}
				if change, ok := providertest.Changes(t, run, config.Kind, config.Resource); ok {
					t.Errorf("planned is %s of config.yaml", change.Action)
				}
				reply, err := run(t.Context(), config.Kind.Question(config.Resource))
				if err != nil {
					t.Fatal(err)
				}
				got := strings.Join(config.Kind.(providers.Noter).Notes(config.Resource, reply), "\n")
				if want := strings.Join(test.want, "\n"); got != want {
					t.Errorf("noted is\n%s\nwant\n%s", got, want)
				}
				if strings.Contains(reply.Stdout, "s3cret") {
					t.Error("the question prints a value")
				}
			}
			check(t, providertest.Relocated)
			if name == "one" {
				providertest.EachRelocated(t, check)
			}
		})
	}
}
