package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/sandbox/conformance"
	"github.com/expertflow/cxha/schema/blueprint"
)

// TestIntegrationConformance holds the stand-in to the contract: on the sandbox's virtual hosts, and on the lab's real ones.
func TestIntegrationConformance(t *testing.T) {
	t.Parallel()
	t.Run("sandbox", func(t *testing.T) {
		t.Parallel()
		conforms(t, program(t, "CXHA_SANDBOX", "cxha-sandbox"), "down")
	})
	t.Run("lab", func(t *testing.T) {
		if os.Getenv("CXHA_LAB") != "1" || runtime.GOOS != "linux" || os.Geteuid() != 0 {
			t.Skip("needs CXHA_LAB=1, Linux and root")
		}
		conforms(t, program(t, "CXHA_LAB_PROGRAM", "cxha-lab"), "down", "--wipe")
	})
}

// program is a built program of the sandbox: the one that the variable names, or that of bin.
func program(t *testing.T, variable, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a sandbox; skipped by -short")
	}
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join(root, "bin", name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: %v", name, err)
	}
	return path
}

// conforms runs the suite on machines of a sandbox and wants every point to be the same. down is the verb that leaves nothing.
func conforms(t *testing.T, program string, down ...string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cxha") // short, for the sake of Unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command(t, context.Background(), program, append(down, "--dir", dir)...)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	command(t, t.Context(), program, "up", "--dir", dir, "--workers", "2", "--example", filepath.Join(root, "examples", "worker-ha"))
	inv, src, diags := conformance.ReadInventory(writeInventory(t, dir))
	if diags.HasErrors() {
		t.Fatalf("%v\n%s", diags, src)
	}
	connector := remote.NewConnector(remote.Options{})
	t.Cleanup(func() {
		if err := connector.Close(); err != nil {
			t.Error(err)
		}
	})
	options := conformance.Options{Connector: connector, Logf: t.Logf}
	w, err := conformance.Connect(t.Context(), inv, options)
	if err != nil {
		t.Fatal(err)
	}
	unseen := map[string]string{"C-API-07": "the type etcdsnapshotfiles of k3s.cattle.io/v1 is not there"} // the stand-in takes no snapshots
	began := time.Now()
	err = conformance.Run(t.Context(), w, conformance.Checks(), func(r conformance.Result) {
		t.Logf("%s %s (%.1f s)", r.ID, r.Status, r.Seconds)
		if r.Status == conformance.Differs {
			t.Errorf("%s: %s\nexpected %s\nseen %s", r.ID, r.Point, r.Expected, r.Seen)
		}
		if r.Status == conformance.Skipped && unseen[r.ID] != r.Why {
			t.Errorf("%s was skipped: %s", r.ID, r.Why)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the suite took %s", time.Since(began).Round(time.Second))
	if err := w.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := conformance.Connect(t.Context(), inv, options); err != nil {
		t.Errorf("after the suite the hosts are not what they were: %v", err)
	}
	refusesUsedHosts(t, program, dir, inv, options)
}

// refusesUsedHosts makes a host look as if RKE2 were in use on it.
func refusesUsedHosts(t *testing.T, program, dir string, inv *conformance.Inventory, options conformance.Options) {
	t.Helper()
	command(t, t.Context(), program, "exec", "--dir", dir, "w2", "--", "mkdir -p /etc/rancher")
	_, err := conformance.Connect(t.Context(), inv, options)
	if err == nil || !strings.Contains(err.Error(), "host w2: there is /etc/rancher:") {
		t.Errorf("a host with /etc/rancher: got %v", err)
	}
}

func command(t *testing.T, ctx context.Context, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// writeInventory writes an inventory of a sandbox's hosts beside its blueprint, from which it is made.
func writeInventory(t *testing.T, dir string) string {
	t.Helper()
	bp, diags := blueprint.Load(filepath.Join(dir, "blueprint"), blueprint.LoadOptions{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	ssh := bp.ControlPlane.SSH
	var b bytes.Buffer
	fmt.Fprintf(&b, "disposable = true\nversion = %q\nssh {\n  user = %q\n  port = %d\n  key = %q\n  known_hosts = %q\n", bp.Cluster.Version, ssh.User, ssh.Port, ssh.Key, ssh.KnownHosts)
	if bastion := ssh.Bastion; bastion != nil {
		fmt.Fprintf(&b, "  bastion {\n    address = %q\n    user = %q\n    port = %d\n    key = %q\n  }\n", bastion.Address, bastion.User, bastion.Port, bastion.Key)
	}
	fmt.Fprintf(&b, "}\ninstall {\n  script = %q\n  artifacts = %q\n}\n", bp.Cluster.Install.Script, bp.Cluster.Install.Artifacts)
	for _, n := range bp.Nodes() {
		kind := "agent"
		if n.Name == bp.ControlPlane.Name {
			kind = "server"
		}
		fmt.Fprintf(&b, "%s %q { address = %q }\n", kind, n.Name, n.Address)
	}
	name := filepath.Join(dir, "inventory.hcl")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
