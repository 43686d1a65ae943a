package controlplane_test

import (
	"os"
	"testing"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

// TestMain lets the test binary be every component, as the sandbox's binary is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == controlplane.Subcommand {
		os.Exit(controlplane.Main(os.Args[2:], nil))
	}
	os.Exit(m.Run())
}
