package blueprint

import (
	"net/netip"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// Common is what all blocks have that put objects into the cluster.
type Common struct {
	Addr      schema.BlockAddr
	Source    Source
	Namespace string        // of the release; of objects that name none
	Timeout   time.Duration // how long to wait until all of it is ready
	Keep      bool          // it is not removed when the block leaves the blueprint
	DependsOn []Ref
	After     []schema.Addr // single resources that must be right before; for what blocks of other types expand to
}

// Chart says where a Helm chart comes from.
type Chart struct {
	// Name is the chart's name in Repository; or oci://REGISTRY/PATH/NAME; or the absolute path of a directory or archive.
	Name       string
	Repository string // address of an HTTP repository (https://...); empty for the other two
	Version    string // exact; empty for local charts
}

// Release is a helm_release block, or what another block expands to.
type Release struct {
	Common
	Name   string // of the release
	Chart  Chart
	Values cty.Value // object, perhaps with sensitive parts; or null
	Apply  string    // schema.ApplyServer or schema.ApplyClient; else it is found out
}

// Manifest is a manifest block, or what another block expands to.
type Manifest struct {
	Common
	Texts []Text
}

// Text is a YAML text with any number of Kubernetes objects.
type Text struct {
	Name    string    // file name relative to the blueprint, or what it is, for errors
	Content cty.Value // string, perhaps sensitive
}

// Kustomization is a kustomization block.
type Kustomization struct {
	Common
	Path string // absolute directory with a kustomization.yaml
}

// LoadBalancer is a load_balancer block.
type LoadBalancer struct {
	Common
	Kind   string // metallb
	Chart  Chart
	Values cty.Value // object or null
	Pools  []Pool
	L2     []L2
	BGP    []BGP
	Peers  []Peer
}

// Pool is a range of addresses for Services: domain.md §4.2, IPAddressPool.
type Pool struct {
	Name       string
	Source     Source
	Addresses  []AddressRange
	AutoAssign bool
}

// AddressRange is a CIDR or first-last.
type AddressRange struct {
	Text        string // as it is written, normalised: 10.10.1.50/32
	First, Last netip.Addr
}

// L2 announces pools by ARP and NDP: L2Advertisement.
type L2 struct {
	Name       string
	Source     Source
	Pools      []string // names; empty: all
	Nodes      []string // node names; empty: all workers
	Interfaces []string
}

// BGP announces pools to routers: BGPAdvertisement.
type BGP struct {
	Name              string
	Source            Source
	Pools             []string
	Nodes             []string
	Peers             []string // names; empty: all
	Communities       []string
	AggregationLength int // 32
	LocalPref         int // 0: none
}

// Peer is a router: BGPPeer.
type Peer struct {
	Name     string
	Source   Source
	Address  netip.Addr
	ASN      int
	MyASN    int
	Port     int       // 179
	Nodes    []string  // node names; empty: all workers
	HoldTime string    // duration; empty: MetalLB's
	Password cty.Value // sensitive string, or null
}

// Ingress is an ingress block.
type Ingress struct {
	Common
	Kind          string // traefik (RKE2's own), nginx
	Preset        string // nginx: community, f5
	Chart         Chart  // nginx
	Values        cty.Value
	Class         string // name of the IngressClass
	Default       bool   // whether it is the default class
	Address       netip.Addr
	TrafficPolicy string // Cluster, Local
	NginxClass    bool   // traefik: serve class nginx too
}

// Storage is a storage block.
type Storage struct {
	Common
	Kind          string // nfs, nfs_subdir, local_path, openebs_hostpath, longhorn, vsphere, class
	Class         string // name of the StorageClass
	Default       bool
	Chart         Chart
	Values        cty.Value
	Server        string   // nfs, nfs_subdir
	Path          string   // nfs, nfs_subdir: the export; local_path, openebs_hostpath: directory on the nodes
	MountOptions  []string // nfs, nfs_subdir
	SubDir        string   // nfs
	OnDelete      string   // nfs: delete, retain, archive
	ReclaimPolicy string   // Delete, Retain; empty: the class is there already
	Replicas      int      // longhorn
	Provisioner   string   // of the class; kind class: empty where the class is there already
	Parameters    map[string]string
}

// Lock is the content of cxha.lock.hcl beside the blueprint.
type Lock struct {
	Path   string // of the file, absolute
	RKE2   string // version
	Charts []LockedChart
}

// LockedChart is a chart whose bytes are agreed on.
type LockedChart struct {
	Chart
	Digest string // sha256:HEX, of the archive; of a local directory: of its files
}
