package blueprint

import (
	"net/netip"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// Blueprint is one cluster as its files describe it. It is complete: defaults are filled in, references resolved, values checked.
type Blueprint struct {
	Dir          string // as given by the user
	Cluster      Cluster
	Sites        []Site
	ControlPlane Node
	Workers      []Node // in order of address
	Standbys     []Node // in order of address
	Checks       []Check
	Outputs      []Output

	LoadBalancers  []LoadBalancer // in order of address, as all of these
	Ingresses      []Ingress
	Storages       []Storage
	Releases       []Release // helm_release blocks
	Kustomizations []Kustomization
	Manifests      []Manifest
	Lock           *Lock                // nil: there is no cxha.lock.hcl
	Sources        map[string]*hcl.File // by file name as it stands in ranges, for snippets in diagnostics
}

// Nodes returns the nodes that belong to the running cluster: the control plane first, then the workers.
func (b *Blueprint) Nodes() []Node {
	return append([]Node{b.ControlPlane}, b.Workers...)
}

// Source says where a block and its attributes were written.
type Source struct {
	Block hcl.Range            // the block's header
	Attrs map[string]hcl.Range // the expression of each attribute that was given, by dotted path: "ssh.user"
}

// Attr returns the range of an attribute's expression, or the block's header where the attribute was not given.
func (s Source) Attr(path string) hcl.Range {
	if r, ok := s.Attrs[path]; ok {
		return r
	}
	return s.Block
}

// Cluster is the cluster block.
type Cluster struct {
	Addr        schema.BlockAddr
	Source      Source
	Name        string
	Version     string // RKE2's version: v1.35.7+rke2r1
	Endpoint    string // name (or address) that agents use for the control plane
	PodCIDR     netip.Prefix
	ServiceCIDR netip.Prefix
	CNI         string
	Firewall    string // schema.FirewallOff or schema.FirewallKeep
	SSH         SSH
	Install     Install
	Token       cty.Value // server token given by the blueprint: sensitive string, or null: cxha makes one
	AgentToken  cty.Value // likewise for the agents' token
	TokenCopy   TokenCopy
	Modules     []string          // kernel modules on every node, sorted
	Sysctl      map[string]string // kernel settings on every node
	Registries  cty.Value         // content of registries.yaml on every node as an object, or null
}

// SSH says how hosts are reached. A node's own ssh block overrides the cluster's attribute by attribute.
type SSH struct {
	User       string
	Port       int
	Key        string // path of the private key, absolute; empty: the agent
	KnownHosts string // path, absolute
	Agent      bool
	Bastion    *Bastion
}

// Bastion is the host through which all others are reached.
type Bastion struct {
	Address string
	User    string
	Port    int
	Key     string // path of the private key, absolute; empty: as for the hosts
}

// Install says where RKE2 comes from. Empty values mean RKE2's own addresses.
type Install struct {
	Script    string // address of the install script
	Artifacts string // INSTALL_RKE2_ARTIFACT_URL
}

// TokenCopy is the encrypted copy of the tokens beside the blueprint.
type TokenCopy struct {
	Path       string   // absolute; empty: no copy
	Recipients []string // age recipients (age1..., ssh-ed25519 ...)
}

// Site is a place with its own failures: a site block.
type Site struct {
	Addr    schema.BlockAddr
	Source  Source
	Name    string
	Subnets []netip.Prefix // may be empty
}

// Role tells what a node is for.
type Role string

// The roles of nodes; each is also the type of its block.
const (
	ControlPlane Role = "control_plane"
	Worker       Role = "worker"
	Standby      Role = "standby"
)

// Node is a control_plane, worker or standby block.
type Node struct {
	Addr        schema.BlockAddr
	Source      Source
	Role        Role
	Name        string // node name in Kubernetes
	Address     netip.Addr
	Site        string // name of its site; empty: none
	SSH         SSH
	Schedulable bool              // control plane: workload pods may run on it
	Labels      map[string]string // own labels
	Taints      []Taint           // own taints
	Config      cty.Value         // more options for config.yaml, an object; or null
	DropIns     []DropIn          // files in config.yaml.d, by name
	Manifests   []DropIn          // control plane: HelmChartConfigs and other files in server/manifests, by name
	Files       []File
	Directories []Directory
	DependsOn   []Ref
}

// Ref is a reference to another block, and where it was written.
type Ref struct {
	To    schema.BlockAddr
	Range hcl.Range
}

// Taint is a taint of a node.
type Taint struct {
	Key    string
	Value  string
	Effect string // NoSchedule, PreferNoSchedule, NoExecute
}

// DropIn is a named file with YAML content in a directory that RKE2 reads.
type DropIn struct {
	Name    string // file name
	Content string
	Source  Source
}

// File is a file block of a node.
type File struct {
	Path    string
	Content cty.Value // string, perhaps sensitive
	Owner   string    // user:group
	Mode    string    // octal: 0644
	Source  Source
}

// Directory is a directory block of a node.
type Directory struct {
	Path   string
	Owner  string
	Mode   string
	Source Source
}

// Check is a check block: a condition of the blueprint that must hold.
type Check struct {
	Addr   schema.BlockAddr
	Source Source
	Passed bool
	Error  string // the block's error_message
}

// Output is an output block.
type Output struct {
	Name  string
	Value cty.Value
}
