package rke2_test

import (
	"testing"

	"github.com/expertflow/cxha/providers/providertest"
)

// tree is a digest of all that a question must not change, the stand-ins' files included.
const tree = "find . -type f | sort | xargs sha256sum\nfind . | sort | xargs ls -ld\n"

func TestKindsKeepTheContract(t *testing.T) {
	t.Parallel()
	suite := providertest.HostSuite{Host: providertest.Relocated, Tree: tree}
	for name, c := range cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite.Run(t, c)
		})
	}
}

// Other hosts have other shells and programs. Where a script is cut off is tried above only.
func TestKindsKeepTheContractUnderEveryShell(t *testing.T) {
	t.Parallel()
	providertest.EachRelocated(t, func(t *testing.T, host func(*testing.T) providertest.Runner) {
		suite := providertest.HostSuite{Host: host, Tree: tree}
		for name, c := range cases(t) {
			c.Uncut = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				suite.Run(t, c)
			})
		}
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	cs := cases(t)
	tokens := cs["token"] // what cxha makes is another one each time
	tokens.Resource = filled(tokens.Resource, map[string]string{"server_token": "t1", "agent_token": "t2", "server_digest": "d1", "agent_digest": "d2"})
	cs["token"] = tokens
	providertest.Scripts(t, "testdata/scripts.txt", cs)
}
