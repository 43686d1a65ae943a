package host_test

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
	providertest.Scripts(t, "testdata/scripts.txt", cases(t))
}
