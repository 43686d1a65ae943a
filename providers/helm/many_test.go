package helm_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// A plan of 300 objects in 20 releases and kustomizations asks the API as often as one of 4 objects in 2 of them does: the calls
// depend on the kinds that there are, not on how many objects each has.
func TestIntegrationCallsDoNotGrowWithObjects(t *testing.T) {
	few, many := callsOfPlan(t, 1, 2), callsOfPlan(t, 10, 15)
	if diff := cmp.Diff(few, many); diff != "" {
		t.Errorf("calls of a plan of 300 objects (+), and of one of 4 (-):\n%s", diff)
	}
	if len(many) > 30 {
		t.Errorf("%d calls for three kinds of objects: %v", len(many), many)
	}
}

// callsOfPlan makes so many releases and as many kustomizations of so many objects each, and returns the calls of the plan that
// finds them as they should be.
func callsOfPlan(t *testing.T, blocks, objects int) []string {
	t.Helper()
	shop := openShop(t)
	shop.put("many", "1.0.0", pack(t, files{"Chart.yaml": "apiVersion: v2\nname: many\nversion: 1.0.0\n", "templates/all.yaml": manifests("{{ .Release.Name }}", objects)}))
	bp := site(t)
	bp.Cluster.Name = fmt.Sprintf("many-%d", objects)
	for i := range blocks {
		r := release(fmt.Sprintf("r%d-%d", i, objects), shop.inRepository("many", "1.0.0"))
		bp.Releases = append(bp.Releases, r)
		dir := filepath.Join(bp.Dir, fmt.Sprint(i))
		must(t, os.Mkdir(dir, 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("resources: [all.yaml]\n"), 0o600))
		name := fmt.Sprintf("k%d-%d", i, objects)
		must(t, os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(manifests(name, objects)), 0o600))
		bp.Kustomizations = append(bp.Kustomizations, blueprint.Kustomization{Path: dir, Common: blueprint.Common{
			Addr: schema.BlockAddr{Type: "kustomization", Name: name}, Namespace: "default", Timeout: 10 * time.Minute,
		}})
	}
	cs, _ := charts(t)
	lock, err := cs.Resolve(t.Context(), bp, nil)
	must(t, err)
	bp.Lock = &lock
	if made := len(probed(t, cs, bp, true)); made == 0 {
		t.Fatal("nothing was made")
	}
	return probed(t, cs, bp, false)
}

// manifests are ConfigMaps and Services by turns.
func manifests(name string, n int) string {
	var docs []string
	for i := range n {
		doc := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s-%d}\ndata: {a: b}\n", name, i)
		if i%2 == 1 {
			doc = fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s-%d}\nspec: {selector: {app: a}, ports: [{port: 80}]}\n", name, i)
		}
		docs = append(docs, doc)
	}
	return strings.Join(docs, "---\n")
}

// probed plans, makes the changes if it shall, else fails if there are any, and returns the calls of the probe, sorted.
func probed(t *testing.T, cs *helm.Charts, bp *blueprint.Blueprint, change bool) []string {
	t.Helper()
	tunnel := newTunnel(t, realAPI(t).config)
	objects := kube.New(kube.Options{Wrap: tunnel.count})
	releases := helm.New(objects, helm.Options{Charts: cs})
	resources := map[providers.Provider][]providers.Resource{}
	kinds := map[string]providers.CallKind{}
	for _, p := range []providers.Provider{objects, releases} {
		rs, diags := p.Compile(bp)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		resources[p] = slices.DeleteFunc(rs, func(r providers.Resource) bool { return r.Addr.Type != "kube.object" && r.Addr.Type != "helm.release" })
		for _, k := range p.Kinds() {
			kinds[k.Type().Name] = k.(providers.CallKind)
		}
	}
	seen := map[providers.Provider]providers.Observation{}
	var mu sync.Mutex // guards seen
	var g errgroup.Group
	for p, rs := range resources {
		g.Go(func() error {
			obs, err := p.(providers.Prober).Probe(t.Context(), tunnel, bp, rs)
			mu.Lock()
			defer mu.Unlock()
			seen[p] = obs
			return err
		})
	}
	must(t, g.Wait())
	calls := tunnel.take()
	for p, rs := range resources {
		for _, r := range rs {
			live := seen[p].Live[r.Addr]
			delta, err := plans.Diff(r.Desired, live.Value, plans.DiffOptions{})
			if live.Result != cty.NilVal {
				delta, err = plans.Between(live.Value, live.Result, plans.DiffOptions{})
			}
			must(t, err)
			switch {
			case delta.Action.Changes() && !change:
				t.Errorf("%s is to be changed once more (%s)", r.Addr, delta.Action)
			case delta.Action.Changes():
				c := plans.Change{Addr: r.Addr, Action: delta.Action, Before: live.Value, After: delta.After, Desired: r.Desired, Salt: "salt"}
				g.Go(func() error {
					_, err := kinds[c.Addr.Type].Apply(t.Context(), tunnel, c)
					return err
				})
			}
		}
	}
	must(t, g.Wait())
	return calls
}

// tunnel is a session that reaches an API server, and counts the calls.
type tunnel struct {
	kubeconfig string

	mu    sync.Mutex // guards calls
	calls []string
}

func newTunnel(t *testing.T, config *rest.Config) *tunnel {
	t.Helper()
	c := clientcmdapi.NewConfig()
	c.Clusters["x"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData}
	c.AuthInfos["x"] = &clientcmdapi.AuthInfo{
		ClientCertificate: config.CertFile, ClientCertificateData: config.CertData, ClientKey: config.KeyFile, ClientKeyData: config.KeyData, Token: config.BearerToken,
	}
	c.Contexts["x"], c.CurrentContext = &clientcmdapi.Context{Cluster: "x", AuthInfo: "x"}, "x"
	text, err := clientcmd.Write(*c)
	must(t, err)
	return &tunnel{kubeconfig: string(text)}
}

func (s *tunnel) count(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		s.mu.Lock()
		s.calls = append(s.calls, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		return next.RoundTrip(r)
	})
}

func (s *tunnel) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	slices.Sort(calls)
	return calls
}

func (s *tunnel) Host(context.Context, string) (providers.Host, error) { return loopback{}, nil }
func (s *tunnel) Fact(string, string) (providers.Reply, bool) {
	return providers.Reply{Stdout: s.kubeconfig}, true
}
func (*tunnel) Progress(schema.Addr, string) {}

// loopback is a host from which connections can be opened, and nothing else.
type loopback struct{ providers.Host }

func (loopback) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}
