package helm

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	helmkube "helm.sh/helm/v4/pkg/kube"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Cluster is the way to a session's Kubernetes API: *kube.Provider.
type Cluster interface {
	// RESTConfig returns how the API is reached. It waits until the session is probed.
	RESTConfig(ctx context.Context, s providers.Session) (*rest.Config, error)

	// Differences returns where live objects differ from a manifest. namespace is that of objects that name none.
	Differences(ctx context.Context, s providers.Session, manifest, namespace string) ([]kube.Difference, error)
}

// Options are the provider's limits. Zero values mean the defaults.
type Options struct {
	// Charts gets the charts. Default: NewCharts with the user's cache directory.
	Charts *Charts

	// ProbeTimeout is how long a probe waits for the API server. Default: 15 seconds.
	ProbeTimeout time.Duration

	// FetchTimeout is how long a plan waits for a chart. Default: 2 minutes.
	FetchTimeout time.Duration

	// RemovalTimeout is how long the objects of a release that left the blueprint may take to go. Default: 10 minutes.
	RemovalTimeout time.Duration

	// ReportEvery is how often a wait tells what is not ready. Default: 3 seconds.
	ReportEvery time.Duration

	// RetryEvery is how long to wait until a change that failed for a passing reason is tried again. Default: 2 seconds.
	RetryEvery time.Duration
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.ProbeTimeout, 15*time.Second)
	set(&o.FetchTimeout, 2*time.Minute)
	set(&o.RemovalTimeout, 10*time.Minute)
	set(&o.ReportEvery, 3*time.Second)
	set(&o.RetryEvery, 2*time.Second)
	if o.Charts == nil {
		o.Charts = NewCharts(ChartOptions{})
	}
	return o
}

// Provider is the provider of helm.release. What a probe learnt of the blueprint's releases is used by the changes after it.
type Provider struct {
	cluster Cluster
	options Options

	mu    sync.Mutex // guards known
	known map[schema.Addr]known
}

// known is what the last probe learnt of a resource.
type known struct {
	release blueprint.Release
	cluster string   // the cluster's name
	digest  string   // of the chart, by the lock
	uses    []string // keys of what the release's objects cannot work without
	after   []string // the blocks that the release comes after
	masks   masks    // of its values, and of what its chart computes from them
}

var (
	_ providers.Provider = (*Provider)(nil)
	_ providers.Prober   = (*Provider)(nil)
)

// New returns the provider. Helm's own log, and that of the client library below it, are silenced for the whole process:
// standard error belongs to the caller, who gets every error anyway.
func New(c Cluster, o Options) *Provider {
	settle()
	return &Provider{cluster: c, options: o.withDefaults(), known: map[schema.Addr]known{}}
}

// settle sets what Helm has for the whole process only: the name of the field manager, and where logs go.
var settle = sync.OnceFunc(func() {
	helmkube.ManagedFieldsManager = fieldManager
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the log package's too
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
})

// Kinds lists the one kind.
func (p *Provider) Kinds() []providers.Kind { return []providers.Kind{releaseKind{p}} }

// Facts asks no host anything: the Kubernetes API is reached as the kube provider does.
func (*Provider) Facts(*blueprint.Blueprint) []providers.Fact { return nil }

func (p *Provider) remember(addr schema.Addr, k known) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[addr] = k
}

func (p *Provider) recall(addr schema.Addr) (known, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.known[addr]
	return k, ok
}
