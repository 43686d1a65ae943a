package conformance_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/conformance"
	"github.com/expertflow/cxha/schema/blueprint"
)

func TestExampleOfAnInventory(t *testing.T) {
	t.Setenv("HOME", "/home/ops")
	inv, diags := conformance.ParseInventory([]byte(conformance.Example), "/site/inventory.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	expected := &conformance.Inventory{
		Version: "v1.35.7+rke2r1", Script: "https://get.rke2.io",
		SSH: blueprint.SSH{
			User: "ops", Port: 22, Key: "/home/ops/.ssh/id_ed25519", KnownHosts: "/home/ops/.ssh/known_hosts",
			Bastion: &blueprint.Bastion{Address: "203.0.113.7", User: "jump", Port: 22},
		},
		Server: conformance.Machine{Name: "cp1", Address: "10.10.1.10"},
		Agents: []conformance.Machine{{Name: "w1", Address: "10.10.1.11"}, {Name: "w2", Address: "10.10.2.11"}},
	}
	if diff := cmp.Diff(expected, inv); diff != "" {
		t.Errorf("inventory (-want +got):\n%s", diff)
	}
}

const good = `disposable = true
version = "v1.35.7+rke2r1"
ssh { user = "root" }
install {}
server "cp1" { address = "10.10.1.10" }
agent "w1" { address = "10.10.1.11" }
`

func TestPathsStartAtTheInventory(t *testing.T) {
	t.Parallel()
	text := strings.Replace(good, `ssh { user = "root" }`, "ssh {\n  user = \"root\"\n  key = \"keys/id\"\n  known_hosts = \"/etc/kh\"\n}", 1)
	inv, diags := conformance.ParseInventory([]byte(text), filepath.FromSlash("/site/inventory.hcl"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if got := inv.SSH.Key + " " + inv.SSH.KnownHosts; got != "/site/keys/id /etc/kh" || inv.SSH.Agent {
		t.Errorf("got %s, agent %t", got, inv.SSH.Agent)
	}
}

func TestMistakesInAnInventory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old, new string   // replaced in a good one
		want     []string // line and summary of each diagnostic
	}{
		"not disposable":    {"disposable = true", "", []string{"1 Machines not disposable"}},
		"said not to be":    {"disposable = true", "disposable = false", []string{"1 Machines not disposable"}},
		"no version":        {`version = "v1.35.7+rke2r1"`, "", []string{"1 Missing required argument"}},
		"channel":           {"v1.35.7+rke2r1", "stable", []string{"2 Invalid version"}},
		"no agent":          {`agent "w1" { address = "10.10.1.11" }`, "", []string{"1 An agent is needed"}},
		"two servers":       {`agent "w1"`, `server "w1"`, []string{"1 One server is needed", "1 An agent is needed"}},
		"name of a host":    {`"10.10.1.11"`, `"w1.example"`, []string{"6 Invalid address"}},
		"capital letters":   {`"w1"`, `"W1"`, []string{"6 Invalid name"}},
		"one address twice": {"10.10.1.11", "10.10.1.10", []string{"6 Machine named twice"}},
		"one name twice":    {`"w1"`, `"cp1"`, []string{"6 Machine named twice"}},
		"unknown argument":  {"install {}", "install {\n  scripts = \"x\"\n}", []string{"5 Unsupported argument"}},
		"unknown block":     {"install {}", "install {}\nworker \"w2\" {}", []string{"5 Unsupported block type"}},
		"no ssh":            {`ssh { user = "root" }`, "", []string{"1 Missing ssh block"}},
		"no HCL":            {"install {}", "install {", []string{"4 Unclosed configuration block"}},
		"wrong type":        {"disposable = true", "disposable = [1]", []string{"1 Unsuitable value type"}},
		"variables":         {`"root"`, "var.user", []string{"3 Variables not allowed", "3 Unsuitable value type"}},
		"several at once":   {"disposable = true\nversion = \"v1.35.7+rke2r1\"", "version = \"1.35\"", []string{"1 Machines not disposable", "1 Invalid version"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inv, diags := conformance.ParseInventory([]byte(strings.Replace(good, c.old, c.new, 1)), "inventory.hcl")
			if inv != nil {
				t.Error("a wrong inventory is taken")
			}
			var got []string
			for _, d := range diags {
				got = append(got, fmt.Sprintf("%d %s", d.Subject.Start.Line, d.Summary))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s\n%v", diff, diags)
			}
		})
	}
}

func TestInventoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	_, _, diags := conformance.ReadInventory(filepath.Join(t.TempDir(), "none.hcl"))
	if !diags.HasErrors() || !strings.Contains(diags.Error(), "none.hcl") {
		t.Errorf("got %v", diags)
	}
}

func FuzzParseInventory(f *testing.F) {
	f.Add([]byte(conformance.Example))
	f.Add([]byte(good))
	f.Add([]byte("disposable = true\nserver \"\" {}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		inv, diags := conformance.ParseInventory(src, "inventory.hcl")
		if diags.HasErrors() != (inv == nil) {
			t.Fatalf("an inventory with errors, or none without: %v", diags)
		}
		if inv != nil && (inv.Server.Address == "" || len(inv.Agents) == 0 || inv.Version == "") {
			t.Fatalf("not all is there: %+v", inv)
		}
	})
}
