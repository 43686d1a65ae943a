package conformance

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/expertflow/cxha/schema/blueprint"
)

// Example is an inventory that shows every setting.
const Example = `# Machines that have no RKE2: the suite installs it on them, breaks it, and removes it with all its data.
disposable = true
version    = "v1.35.7+rke2r1"

ssh {
  user        = "ops"                 # root, or somebody with sudo and no password
  port        = 22
  key         = "~/.ssh/id_ed25519"   # without it the SSH agent is asked
  known_hosts = "~/.ssh/known_hosts"

  bastion {                           # leave it out where the machines are reached directly
    address = "203.0.113.7"
    user    = "jump"
  }
}

install {
  script    = "https://get.rke2.io"   # artifacts = "http://mirror/releases/download" for a mirror of releases
}

server "cp1" { address = "10.10.1.10" }
agent "w1" { address = "10.10.1.11" }
agent "w2" { address = "10.10.2.11" }
`

// DefaultScript is where RKE2 publishes its install script (domain.md §2.2).
const DefaultScript = "https://get.rke2.io"

// Inventory names the machines of a run and how they are reached.
type Inventory struct {
	Version   string // v1.35.7+rke2r1
	SSH       blueprint.SSH
	Script    string // address of the install script
	Artifacts string // INSTALL_RKE2_ARTIFACT_URL; empty: RKE2's own
	Server    Machine
	Agents    []Machine // at least one
}

// Machine is a host of the inventory. Its name becomes the node's.
type Machine struct{ Name, Address string }

// inventoryFile is the form of the file.
type inventoryFile struct {
	Disposable bool         `hcl:"disposable,optional"`
	Version    string       `hcl:"version"`
	VersionAt  hcl.Range    `hcl:"version,attr_value_range"`
	SSH        sshBlock     `hcl:"ssh,block"`
	Install    installBlock `hcl:"install,block"`
	Servers    []hostBlock  `hcl:"server,block"`
	Agents     []hostBlock  `hcl:"agent,block"`
}

type sshBlock struct {
	User       string        `hcl:"user"`
	Port       int           `hcl:"port,optional"`
	Key        string        `hcl:"key,optional"`
	KnownHosts string        `hcl:"known_hosts,optional"`
	Bastion    *bastionBlock `hcl:"bastion,block"`
}

type bastionBlock struct {
	Address string `hcl:"address"`
	User    string `hcl:"user,optional"`
	Port    int    `hcl:"port,optional"`
	Key     string `hcl:"key,optional"`
}

type installBlock struct {
	Script    string `hcl:"script,optional"`
	Artifacts string `hcl:"artifacts,optional"`
}

type hostBlock struct {
	Name      string    `hcl:"name,label"`
	NameAt    hcl.Range `hcl:"name,label_range"`
	Address   string    `hcl:"address"`
	AddressAt hcl.Range `hcl:"address,attr_value_range"`
}

// ReadInventory reads the file; every mistake in it is a diagnostic with its place.
func ReadInventory(name string) (*Inventory, []byte, hcl.Diagnostics) {
	src, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Inventory not readable",
			Detail: fmt.Sprintf("The inventory cannot be read: %s.", err),
		}}
	}
	inv, diags := ParseInventory(src, name)
	return inv, src, diags
}

// ParseInventory parses the text of an inventory. Paths in it are relative to the directory of name.
func ParseInventory(src []byte, name string) (*Inventory, hcl.Diagnostics) {
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	var raw inventoryFile
	diags = append(diags, gohcl.DecodeBody(file.Body, nil, &raw)...)
	if diags.HasErrors() {
		return nil, diags
	}
	start := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	diags = append(diags, raw.check(start)...)
	if diags.HasErrors() {
		return nil, diags
	}
	inv := &Inventory{Version: raw.Version, Script: raw.Install.Script, Artifacts: raw.Install.Artifacts, Server: raw.Servers[0].machine()}
	if inv.Script == "" {
		inv.Script = DefaultScript
	}
	for _, a := range raw.Agents {
		inv.Agents = append(inv.Agents, a.machine())
	}
	var err error
	if inv.SSH, err = raw.SSH.resolve(filepath.Dir(name)); err != nil {
		return nil, append(diags, problem(start, "Path not usable", "A path of the ssh block cannot be made absolute: %s.", err))
	}
	return inv, diags
}

func (h hostBlock) machine() Machine { return Machine{Name: h.Name, Address: h.Address} }

var (
	versionForm = regexp.MustCompile(`^v1\.[0-9]+\.[0-9]+\+rke2r[0-9]+$`)
	nameForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// check tells what the decoder does not know. start is the place of what is missing.
func (f *inventoryFile) check(start hcl.Range) hcl.Diagnostics {
	var diags hcl.Diagnostics
	if !f.Disposable {
		diags = append(diags, problem(start, "Machines not disposable",
			"The suite installs RKE2 on the machines of the inventory, breaks it and removes it with all its data. Say that this may be done to them with\n\n  disposable = true"))
	}
	if !versionForm.MatchString(f.Version) {
		diags = append(diags, problem(f.VersionAt, "Invalid version", "The version %q has not the form v1.35.7+rke2r1. The suite compares with it what RKE2 says, so give the exact one.", f.Version))
	}
	if len(f.Servers) != 1 {
		diags = append(diags, problem(start, "One server is needed", "The inventory has %d server blocks. The contract is about a cluster with a single control plane, so name exactly one.", len(f.Servers)))
	}
	if len(f.Agents) == 0 {
		diags = append(diags, problem(start, "An agent is needed", "The inventory has no agent block. Half of the contract is about joining, so name at least one."))
	}
	return append(diags, f.checkHosts()...)
}

func (f *inventoryFile) checkHosts() hcl.Diagnostics {
	var diags hcl.Diagnostics
	seen := map[string]bool{}
	for _, h := range append(append([]hostBlock(nil), f.Servers...), f.Agents...) {
		if !nameForm.MatchString(h.Name) {
			diags = append(diags, problem(h.NameAt, "Invalid name", "The name %q cannot be a node's name: it has up to 63 lower-case letters, digits and hyphens.", h.Name))
		}
		addr, err := netip.ParseAddr(h.Address)
		if err != nil || addr.Zone() != "" {
			diags = append(diags, problem(h.AddressAt, "Invalid address", "The address %q of %s is no IP address, such as 10.10.1.10. RKE2's node-ip is set to it.", h.Address, h.Name))
		}
		for what, at := range map[string]hcl.Range{"name " + h.Name: h.NameAt, "address " + h.Address: h.AddressAt} {
			if seen[what] {
				diags = append(diags, problem(at, "Machine named twice", "The %s is given to two machines. Each needs its own.", what))
			}
			seen[what] = true
		}
	}
	return diags
}

func problem(at hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: at.Ptr()}
}

// resolve makes the block's paths absolute; known hosts are those of ssh where none are named.
func (b sshBlock) resolve(dir string) (blueprint.SSH, error) {
	s := blueprint.SSH{User: b.User, Port: orDefault(b.Port), Agent: b.Key == ""}
	var err error
	if s.Key, err = absolute(dir, b.Key); err != nil {
		return s, err
	}
	known := b.KnownHosts
	if known == "" {
		known = "~/.ssh/known_hosts"
	}
	if s.KnownHosts, err = absolute(dir, known); err != nil {
		return s, err
	}
	if b.Bastion != nil {
		s.Bastion = &blueprint.Bastion{Address: b.Bastion.Address, User: b.Bastion.User, Port: orDefault(b.Bastion.Port)}
		s.Bastion.Key, err = absolute(dir, b.Bastion.Key)
	}
	return s, err
}

func orDefault(port int) int {
	if port == 0 {
		return 22
	}
	return port
}

// absolute resolves a path: ~ is the home directory, relative ones start at dir, and none stays none.
func absolute(dir, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return filepath.Join(home, rest), nil
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Abs(filepath.Join(dir, path))
}
