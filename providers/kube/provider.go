package kube

import (
	"net/http"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
)

// The marks of what cxha made in the cluster, and the names of its objects.
const (
	FieldManager     = "cxha"            // field manager of everything that cxha writes
	ClusterLabel     = "cxha.io/cluster" // on every node of the blueprint; the value is the cluster's name
	TaintsAnnotation = "cxha.io/taints"  // on nodes: which of their taints are cxha's, as key:effect,key:effect
	CordonAnnotation = "cxha.io/cordon"  // on nodes: cxha cordoned it for a removal

	systemNamespace = "kube-system"
	inventoryName   = "cxha-inventory" // ConfigMap in kube-system
	leaseName       = "cxha"           // Lease in kube-system
)

// Options are the limits of what the provider waits for. Zero values mean the defaults.
type Options struct {
	// NodeTimeout is how long a node may take to register and become Ready. Default: 10 minutes.
	NodeTimeout time.Duration

	// RegisterPatience is how long RKE2 may run on a host whose node is not registered until cxha restarts it. Default: 45 seconds.
	RegisterPatience time.Duration

	// EvictionTimeout is how long an eviction may go without any pod leaving the node. Default: 10 minutes.
	EvictionTimeout time.Duration

	// DeadNodeTimeout replaces EvictionTimeout on a node that is not Ready, whose pods nobody can end. Default: 1 minute.
	DeadNodeTimeout time.Duration

	// APITimeout is how long a change may wait for an API server that does not answer, such as one that restarts. Default: 5 minutes.
	APITimeout time.Duration

	// ProbeTimeout is how long a probe waits for the API server. Default: 15 seconds.
	ProbeTimeout time.Duration

	// ReasonsAfter is how often a change that waits for an object to be ready looks at its pods, to tell what keeps them. Default: 15 seconds.
	ReasonsAfter time.Duration

	// NamespacePatience is how long the removal of a namespace waits for Helm releases in it to go. Default: 1 minute.
	NamespacePatience time.Duration

	// LockDuration is how long a run lock holds without a heartbeat. Default: 30 seconds.
	LockDuration time.Duration

	// Wrap, if set, goes around the HTTP transport to the API server, such as to count or to record calls.
	Wrap func(http.RoundTripper) http.RoundTripper

	// Now is the clock of ages and of the run lock. Default: time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.NodeTimeout, 10*time.Minute)
	set(&o.RegisterPatience, 45*time.Second)
	set(&o.EvictionTimeout, 10*time.Minute)
	set(&o.DeadNodeTimeout, time.Minute)
	set(&o.APITimeout, 5*time.Minute)
	set(&o.ProbeTimeout, 15*time.Second)
	set(&o.ReasonsAfter, 15*time.Second)
	set(&o.NamespacePatience, time.Minute)
	set(&o.LockDuration, 30*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Provider is the provider of the kube kinds. It keeps one client per session, so sessions must be comparable values, and
// a session is probed before one of its changes is applied, as plans and applies always do.
type Provider struct {
	options Options

	mu     sync.Mutex // guards the fields below
	conns  map[providers.Session]*conn
	probed map[providers.Session]chan struct{} // closed when a probe of the session has begun
}

var (
	_ providers.Provider = (*Provider)(nil)
	_ providers.Prober   = (*Provider)(nil)
)

// New returns the provider.
func New(o Options) *Provider {
	return &Provider{options: o.withDefaults(), conns: map[providers.Session]*conn{}, probed: map[providers.Session]chan struct{}{}}
}

// Kinds lists the kinds; all are CallKinds.
func (p *Provider) Kinds() []providers.Kind {
	var ks []providers.Kind
	for _, k := range p.kinds() {
		ks = append(ks, k)
	}
	return ks
}

func (p *Provider) kinds() []kind {
	return []kind{nodeKind{p}, labelsKind{p}, taintsKind{p}, isolationKind{p}, drainKind{p}, inventoryKind{p}, objectKind{p}}
}

// kind is what the package knows of a kind beyond the contract.
type kind interface {
	providers.CallKind

	// live returns the value that a probe found for a resource of the blueprint with this desired value.
	live(w *world, desired cty.Value) cty.Value
}

// apply is the common part of the kinds' Apply: it hands over the session's connection.
func (p *Provider) apply(s providers.Session, c plans.Change, do func(call) (cty.Value, error)) (cty.Value, error) {
	conn, err := p.opened(s)
	if err != nil {
		return cty.NilVal, err
	}
	return do(call{conn: conn, addr: c.Addr})
}

// absent is the null value of a kind.
func absent(k providers.Kind) cty.Value { return cty.NullVal(k.Type().Object) }
