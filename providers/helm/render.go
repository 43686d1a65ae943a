package helm

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// surroundings are what the templates of charts may ask the cluster for: its version, its kinds, and objects by lookup.
type surroundings struct {
	config       *rest.Config
	access       *access
	capabilities func() (*common.Capabilities, error)

	mu         sync.Mutex // guards namespaces
	namespaces map[string]func() (bool, error)
}

func newSurroundings(config *rest.Config) *surroundings {
	s := &surroundings{config: config, access: newAccess(config, "default"), namespaces: map[string]func() (bool, error){}}
	s.capabilities = sync.OnceValues(func() (*common.Capabilities, error) {
		client, err := s.access.ToDiscoveryClient()
		if err != nil {
			return nil, err
		}
		version, err := client.ServerVersion()
		if err != nil {
			return nil, err
		}
		kinds, err := action.GetVersionSet(client)
		if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
			return nil, err
		}
		return &common.Capabilities{
			APIVersions: kinds,
			KubeVersion: common.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
			HelmVersion: common.DefaultCapabilities.HelmVersion,
		}, nil
	})
	return s
}

// render returns the manifest of a chart, whose dependencies are settled, with its values, as Helm's own actions make it.
func (s *surroundings) render(ctx context.Context, ch *chart.Chart, values map[string]any, o common.ReleaseOptions) (string, error) {
	caps, err := s.capabilities()
	if err != nil {
		return "", err
	}
	if want := ch.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, caps.KubeVersion.String()) {
		return "", &templateError{fmt.Errorf("the chart wants Kubernetes %s, and the cluster has %s", want, caps.KubeVersion.Version)}
	}
	whole, err := util.ToRenderValuesWithSchemaValidation(ch, values, o, caps, true) // the schema was asked before
	if err != nil {
		return "", &templateError{err}
	}
	files, err := engine.New(s.config).RenderWithContext(ctx, ch, whole)
	if err != nil {
		return "", &templateError{err}
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	_, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return "", &templateError{err}
	}
	var b strings.Builder
	for _, m := range manifests {
		fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", m.Name, m.Content)
	}
	return b.String(), nil
}

// templateError means that a chart does not give objects with the values of its release.
type templateError struct{ err error }

func (e *templateError) Error() string {
	return "the chart's templates fail: " + strings.Join(strings.Fields(e.err.Error()), " ")
}

func (e *templateError) Unwrap() error { return e.err }

// asksCluster reports whether templates of a chart, or of the charts in it, look at what the cluster has, so that another change may make
// them give something else.
func asksCluster(ch *chart.Chart) bool {
	for _, f := range ch.Templates {
		text := string(f.Data)
		if strings.Contains(text, "lookup") || strings.Contains(text, ".Capabilities") {
			return true
		}
	}
	for _, dep := range ch.Dependencies() {
		if asksCluster(dep) {
			return true
		}
	}
	return false
}
