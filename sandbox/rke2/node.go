package rke2

import (
	"context"
	"net/netip"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// Node is the part of a host that makes it a node of a cluster: kubelet and what belongs to it, or what plays it.
type Node interface {
	// Done is closed when a part of the node has ended by itself; Err then says which, and how.
	Done() <-chan struct{}
	Err() error
	// Stop ends the node: at once when the context's end was a power cut.
	Stop(ctx context.Context) error
}

// StartNode makes a host a node. It tries until it succeeds or the context ends, as kubelet does; the error is the context's then.
type StartNode func(ctx context.Context, options NodeOptions) (Node, error)

// NodeOptions are what a node has to know.
type NodeOptions struct {
	Role    settings.Role
	Name    string
	IP      netip.Addr
	Version string // of the release: v1.35.7+rke2r1
	DataDir string // inside the host
	Config  settings.Config
	Cluster ClusterConfig
	Access  NodeAccess
	Host    Host
	Log     Journal
}

// NodeAccess is what a node needs for the API: authorities, identities, and the address. All material is PEM.
type NodeAccess struct {
	// APIServer is host:port as child processes of the host reach it.
	APIServer          string
	ServerCA, ClientCA []byte
	// Kubelet is kubelet's identity, Serving its serving certificate, Proxy kube-proxy's identity, and Controller that of the
	// node's other parts.
	Kubelet, Serving, Proxy, Controller KeyPair
}

// KeyPair is a certificate and its key, both PEM.
type KeyPair struct {
	CertPEM, KeyPEM []byte
}

// ClusterConfig is what a node learns from the server about the cluster.
type ClusterConfig struct {
	ClusterCIDR   string `json:"clusterCIDR"`
	ServiceCIDR   string `json:"serviceCIDR"`
	ClusterDNS    string `json:"clusterDNS"`
	ClusterDomain string `json:"clusterDomain"`
	APIServerPort int    `json:"apiServerPort"`
}
