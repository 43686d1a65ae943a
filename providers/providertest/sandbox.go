package providertest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Sandbox is a running sandbox of the program bin/cxha-sandbox.
type Sandbox struct {
	Blueprint *blueprint.Blueprint // the example's, with this sandbox's addresses

	program, dir string
	connector    *remote.Connector
}

// StartSandbox starts a sandbox of the example's hosts, cp1, w1 and w2, and stops it at the end of the test. The test is skipped
// with -short, and where the program was not built. CXHA_SANDBOX names another one than bin/cxha-sandbox.
func StartSandbox(t *testing.T) *Sandbox {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a sandbox")
	}
	s := &Sandbox{program: program(t), dir: filepath.Join(t.TempDir(), "sandbox"), connector: remote.NewConnector(remote.Options{})}
	t.Cleanup(func() {
		if err := s.connector.Close(); err != nil {
			t.Error(err)
		}
		s.command(t, context.Background(), "down")
	})
	s.command(t, t.Context(), "up")
	bp, diags := blueprint.Load(filepath.Join(s.dir, "blueprint"), blueprint.LoadOptions{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s.Blueprint = bp
	return s
}

func program(t *testing.T) string {
	t.Helper()
	p := os.Getenv("CXHA_SANDBOX")
	if p == "" {
		p = filepath.Join("..", "..", "bin", "cxha-sandbox")
	}
	p, err := filepath.Abs(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Skipf("needs the sandbox: %v; `make build` makes it, CXHA_SANDBOX names another one", err)
	}
	return p
}

func (s *Sandbox) command(t *testing.T, ctx context.Context, verb string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, s.program, append([]string{verb, "--dir", s.dir}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", cmd, err, out)
	}
}

// Host returns the runner of a node's host, over SSH as cxha reaches it.
func (s *Sandbox) Host(t *testing.T, name string) Runner {
	t.Helper()
	var spec providers.HostSpec
	for _, n := range s.Blueprint.Nodes() {
		if n.Name == name {
			spec = providers.HostSpec{Name: n.Name, Address: n.Address.String(), SSH: n.SSH}
		}
	}
	h, err := s.connector.Connect(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, script string) (providers.Reply, error) {
		reply, err := h.Run(ctx, new(shell.Script).Add("%s", shell.Raw(script)))
		var refused *remote.RunError
		if errors.As(err, &refused) && !refused.Unknown { // sh does nothing of a script that was cut off within a here-document
			return providers.Reply{Exit: 2, Stderr: err.Error()}, nil
		}
		return reply, err
	}
}
