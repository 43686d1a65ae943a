package rke2

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
)

// scanInterval is how often the manifests directory is looked at; RKE2 looks every 15 seconds.
const scanInterval = time.Second

func helmResource(name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "helm.cattle.io", Version: "v1", Resource: name}
}

// deployer applies the files of the manifests directory, and stands in for the Helm controller with the packaged charts.
type deployer struct {
	*server
	applier  *applier
	charts   map[string]values // the packaged charts that the cluster has, with their default values
	applied  map[string][32]byte
	failures map[string]string // the last error of a file or chart, so that it is logged once
	retry    bool              // a chart could not be applied
}

// newDeployer creates the definitions and roles that everything else needs, and the files of the packaged charts.
func (s *server) newDeployer(ctx context.Context) (*deployer, error) {
	applier, err := newApplier(s.plane.AdminConfig())
	if err != nil {
		return nil, err
	}
	d := &deployer{server: s, applier: applier, applied: map[string][32]byte{}, failures: map[string]string{}}
	for _, name := range []string{"base/crds.yaml", "base/rbac.yaml"} {
		manifest, err := baseFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		objects, err := decode(manifest)
		if err != nil {
			return nil, err
		}
		if err := applier.apply(ctx, objects); err != nil {
			return nil, err
		}
	}
	if err := d.awaitKinds(ctx); err != nil {
		return nil, err
	}
	return d, d.packageCharts(ctx)
}

// awaitKinds returns when the API server serves Helm's kinds and says so.
func (d *deployer) awaitKinds(ctx context.Context) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		served, err := d.servesHelm(ctx)
		if served || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// servesHelm tells whether Helm's kinds can be listed, and be found among all kinds: that comes a little later.
func (d *deployer) servesHelm(ctx context.Context) (bool, error) {
	for resource, kind := range map[string]string{"helmcharts": "HelmChart", "helmchartconfigs": "HelmChartConfig"} {
		_, err := d.applier.dynamic.Resource(helmResource(resource)).List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			_, err = d.applier.mapper.RESTMapping(schema.GroupKind{Group: "helm.cattle.io", Kind: kind}, "v1")
		}
		switch {
		case apierrors.IsNotFound(err):
			return false, nil
		case meta.IsNoMatchError(err):
			d.applier.mapper.Reset()
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}

// packageCharts writes the manifests of the packaged charts, and removes those that are disabled with what they deployed.
func (d *deployer) packageCharts(ctx context.Context) error {
	charts, wanted, err := d.ingressCharts(ctx)
	if err != nil {
		return err
	}
	packaged := chartDefaults(d.cluster.ClusterDNS)
	maps.Copy(charts, packaged)
	for name := range packaged {
		wanted[name] = name != "rke2-canal" || d.hasCanal()
	}
	d.charts = map[string]values{}
	for name, defaults := range charts {
		file := d.path("server", "manifests", name+".yaml")
		manifest, err := chartManifest(name)
		if err != nil {
			return err
		}
		if wanted[name] && d.deploys(name) {
			d.charts[name] = defaults
			if err := d.writeFile(file, manifest, 0o600); err != nil {
				return err
			}
			continue
		}
		if err := d.host.Files.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := d.removeChart(ctx, name, defaults, manifest); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployer) removeChart(ctx context.Context, name string, defaults values, manifest []byte) error {
	if deployed, err := d.hasChart(ctx, name); err != nil || !deployed {
		return err
	}
	objects, err := renderChart(name, defaults, "")
	if err != nil {
		return err
	}
	chart, err := decode(manifest)
	if err != nil {
		return err
	}
	return d.applier.remove(ctx, append(objects, chart...))
}

// hasCanal tells whether the cluster's network is Canal, the only one that the stand-in shows.
func (d *deployer) hasCanal() bool {
	plugins := d.config.Split("cni")
	if len(plugins) == 0 || slices.Contains(plugins, "canal") {
		return true
	}
	if !slices.Contains(plugins, "none") {
		d.log.Warnf("cni %s: the sandbox's stand-in shows no pods for it (sandbox/README.md)", strings.Join(plugins, ","))
	}
	return false
}

// deploys tells whether a packaged chart is neither disabled nor without a place on this host.
func (d *deployer) deploys(chart string) bool {
	return !d.disabled(chart) && (d.program.Deploys == nil || d.program.Deploys(chart))
}

// run keeps the cluster in step with the manifests directory and the HelmChartConfigs until the context ends.
func (d *deployer) run(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // a look is due anyway
		}
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(d.applier.dynamic, 0, systemNamespace, nil)
	for _, resource := range []string{"helmcharts", "helmchartconfigs"} {
		informer := factory.ForResource(helmResource(resource)).Informer()
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() }, DeleteFunc: func(any) { notify() },
		})
		if err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	ticker := time.NewTicker(scanInterval)
	defer ticker.Stop()
	for {
		d.scan(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			d.deployCharts(ctx)
		case <-ticker.C:
			if d.retry {
				d.deployCharts(ctx)
			}
		}
	}
}

// scan applies the manifests that are new, have changed or have failed before. What a removed file deployed stays.
func (d *deployer) scan(ctx context.Context) {
	directory := d.path("server", "manifests")
	entries, err := d.host.Files.ReadDir(directory)
	if err != nil {
		d.report(ctx, directory, err)
		return
	}
	names := map[string]bool{}
	for _, entry := range entries {
		names[entry.Name()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		extension := path.Ext(name)
		if (extension == ".yaml" || extension == ".yml" || extension == ".json") && !names[name+".skip"] {
			d.deployFile(ctx, path.Join(directory, name))
		}
	}
}

func (d *deployer) deployFile(ctx context.Context, file string) {
	manifest, err := d.host.Files.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return // removed since the directory was read
	}
	if err == nil {
		d.applyOnce(ctx, file, manifest, func() ([]*unstructured.Unstructured, error) { return decode(manifest) })
		return
	}
	d.report(ctx, file, err)
}

// applyOnce applies objects unless they have been applied from the same source before.
func (d *deployer) applyOnce(
	ctx context.Context, name string, source []byte, objects func() ([]*unstructured.Unstructured, error),
) (done bool) {
	digest := sha256.Sum256(source)
	if last, ok := d.applied[name]; ok && last == digest {
		return true
	}
	decoded, err := objects()
	if err == nil {
		err = d.applier.apply(ctx, decoded)
	}
	d.report(ctx, name, err)
	if err == nil {
		d.applied[name] = digest
		d.log.Infof("Applied %s", name)
	}
	return err == nil
}

// report logs an error once, until it changes or goes.
func (d *deployer) report(ctx context.Context, name string, err error) {
	if ctx.Err() != nil {
		return
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	if d.failures[name] != text && text != "" {
		d.log.Errorf("Failed to process config: failed to process %s: %s", name, text)
	}
	d.failures[name] = text
}

// deployCharts renders every packaged chart that has a HelmChart, with the values of its HelmChartConfig.
func (d *deployer) deployCharts(ctx context.Context) {
	charts, err := d.listHelm(ctx, "helmcharts")
	configs, configErr := d.listHelm(ctx, "helmchartconfigs")
	err = errors.Join(err, configErr)
	d.report(ctx, "helm", err)
	d.retry = err != nil
	if err != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(charts)) {
		defaults, packaged := d.charts[name]
		if !packaged {
			d.report(ctx, "chart "+name, errors.New("the sandbox's stand-in deploys the packaged charts only (sandbox/README.md)"))
			continue
		}
		content := configs[name]
		done := d.applyOnce(ctx, "chart "+name, []byte(content), func() ([]*unstructured.Unstructured, error) {
			return renderChart(name, defaults, content)
		})
		d.retry = d.retry || !done
	}
}

// listHelm returns the valuesContent of every object of a Helm kind in kube-system, by name.
func (d *deployer) listHelm(ctx context.Context, resource string) (map[string]string, error) {
	list, err := d.applier.dynamic.Resource(helmResource(resource)).Namespace(systemNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	contents := map[string]string{}
	for _, item := range list.Items {
		content, _, err := unstructured.NestedString(item.Object, "spec", "valuesContent")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", item.GetName(), err)
		}
		contents[item.GetName()] = content
	}
	return contents, nil
}
