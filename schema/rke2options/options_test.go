package rke2options_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/expertflow/cxha/schema/rke2options"
)

func TestOf(t *testing.T) {
	t.Parallel()
	const server, agent = rke2options.Server, rke2options.Agent
	for name, c := range map[string]struct {
		option  string
		role    rke2options.Role
		version string
		kind    rke2options.Kind
		problem string // in the problem's summary and text
	}{
		"list of both roles":          {option: "kubelet-arg", role: agent, version: "v1.35.7+rke2r1", kind: rke2options.List},
		"added to a list":             {option: "kubelet-arg+", role: agent, version: "v1.35.7+rke2r1", kind: rke2options.List},
		"bool":                        {option: "etcd-s3", role: server, version: "v1.35.7+rke2r1", kind: rke2options.Bool},
		"underscore":                  {option: "tls_san", role: server, version: "v1.35.7+rke2r1", problem: `Did you mean "tls-san"?`},
		"letter":                      {option: "kublet-arg", role: agent, version: "v1.35.7+rke2r1", problem: `Did you mean "kubelet-arg"?`},
		"nothing near":                {option: "colour", role: agent, version: "v1.35.7+rke2r1", problem: "RKE2 v1.35.7+rke2r1 has no such option for agents"},
		"servers' on an agent":        {option: "etcd-s3", role: agent, version: "v1.35.7+rke2r1", problem: "Option for servers only"},
		"first release":               {option: "helm-controller-arg", role: server, version: "v1.35.7+rke2r1", kind: rke2options.List},
		"release before":              {option: "helm-controller-arg", role: server, version: "v1.35.6+rke2r1", problem: "which came with RKE2 v1.35.7+rke2r1"},
		"second release of a version": {option: "helm-controller-arg", role: server, version: "v1.33.13+rke2r2", kind: rke2options.List},
		"first release of a version":  {option: "helm-controller-arg", role: server, version: "v1.33.13+rke2r1", problem: "which came with RKE2 v1.33.13+rke2r2"},
		"later minor version":         {option: "helm-controller-arg", role: server, version: "v1.37.0+rke2r1", kind: rke2options.List},
		"earlier minor version":       {option: "ingress-controller", role: server, version: "v1.30.14+rke2r1", problem: "which came with RKE2 v1.31.8+rke2r1"},
		"invalid version":             {option: "helm-controller-arg", role: server, version: "latest", kind: rke2options.List},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind, problem := rke2options.Of(c.option, c.role, c.version)
			if kind != c.kind {
				t.Errorf("the kind is %q, want %q", kind, c.kind)
			}
			switch {
			case (problem != nil) != (c.problem != ""):
				t.Errorf("the problem is %v, want %q", problem, c.problem)
			case problem != nil && !strings.Contains(problem.Summary+problem.Text, c.problem):
				t.Errorf("the problem is %q %q, want %q in it", problem.Summary, problem.Text, c.problem)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   rke2options.Kind
		values []string
		list   bool
		want   string
	}{
		"bool":                {rke2options.Bool, []string{"true"}, false, ""},
		"no bool":             {rke2options.Bool, []string{"yes"}, false, `takes true or false, and not "yes"`},
		"number":              {rke2options.Number, []string{"-5"}, false, ""},
		"fraction":            {rke2options.Number, []string{"5.5"}, false, `takes a whole number, and not "5.5"`},
		"duration":            {rke2options.Duration, []string{"5m0s"}, false, ""},
		"duration, no unit":   {rke2options.Duration, []string{"5"}, false, `takes a duration such as 90s or 5m, and not "5"`},
		"text":                {rke2options.Text, []string{""}, false, ""},
		"list of one text":    {rke2options.Text, []string{"a"}, true, ""},
		"list of two texts":   {rke2options.Text, []string{"a", "b"}, true, "takes one text, and this is a list of 2"},
		"empty list":          {rke2options.Bool, nil, true, "takes one bool, and this is a list of 0"},
		"list":                {rke2options.List, []string{"a", "b"}, true, ""},
		"empty list of texts": {rke2options.List, nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.kind.Check(c.values, c.list); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// What agents have, servers have too, and a later version never has fewer.
func TestNames(t *testing.T) {
	t.Parallel()
	versions := []string{"v1.30.14+rke2r1", "v1.31.14+rke2r1", "v1.32.13+rke2r1", "v1.33.13+rke2r1", "v1.34.10+rke2r1", "v1.35.7+rke2r1", "v1.36.3+rke2r1"}
	for i, v := range versions {
		servers := rke2options.Names(rke2options.Server, v)
		for _, name := range rke2options.Names(rke2options.Agent, v) {
			if !slices.Contains(servers, name) {
				t.Errorf("%s: agents have %s and servers have not", v, name)
			}
		}
		if i == 0 {
			continue
		}
		for _, name := range rke2options.Names(rke2options.Server, versions[i-1]) {
			if !slices.Contains(servers, name) {
				t.Errorf("%s is in %s and not in %s", name, versions[i-1], v)
			}
		}
	}
}
