package helm

import (
	"fmt"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/addons"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// releases returns every release of a blueprint: those of helm_release blocks, and those that other blocks stand for.
func releases(bp *blueprint.Blueprint) []blueprint.Release {
	return append(append([]blueprint.Release{}, bp.Releases...), addons.Releases(bp)...)
}

// Compile declares the releases. It reads charts that lie beside the blueprint, and nothing else: what they are belongs to what
// the blueprint says.
func (p *Provider) Compile(bp *blueprint.Blueprint) ([]providers.Resource, hcl.Diagnostics) {
	var rs []providers.Resource
	var diags hcl.Diagnostics
	for _, r := range releases(bp) {
		agreed, diag := agree(bp, r.Chart, r.Source)
		if diag != nil {
			diags = append(diags, diag)
			continue
		}
		rs = append(rs, providers.Resource{
			Addr: releaseAddr(r), Range: r.Source.Block, After: edges(bp, r),
			Desired: desired(bp, r, agreed),
		})
	}
	return rs, diags
}

func releaseAddr(r blueprint.Release) schema.Addr {
	return schema.Addr{Block: r.Addr, Type: typeRelease}
}

func edges(bp *blueprint.Blueprint, r blueprint.Release) []providers.Edge {
	after := afterAPI(bp, r.Source.Block)
	for _, addr := range r.After {
		after = append(after, providers.Edge{To: addr, Range: r.Source.Block})
	}
	return after
}

// afterAPI is the edge of all that needs the API server: it waits until a restart of the control plane is over.
func afterAPI(bp *blueprint.Blueprint, from hcl.Range) []providers.Edge {
	return []providers.Edge{{To: schema.Addr{Block: bp.ControlPlane.Addr, Type: "kube.node"}, Range: from}}
}

func desired(bp *blueprint.Blueprint, r blueprint.Release, agreed agreement) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"name":      cty.StringVal(r.Name),
		"namespace": cty.StringVal(r.Namespace),
		"cluster":   cty.StringVal(bp.Cluster.Name),
		"chart":     cty.StringVal(shownName(absolute(bp.Dir), r.Chart)),
		"version":   cty.StringVal(agreed.version),
		"digest":    cty.StringVal(agreed.digest),
		"values":    desiredValues(r.Values),
		"keep":      cty.BoolVal(r.Keep),
		"status":    cty.StringVal(statusDeployed),
		"drift":     cty.MapValEmpty(cty.String),
		"apply":     desiredMethod(r.Apply),
		"objects":   cty.UnknownVal(cty.Map(cty.String)), // what its chart makes of it
	})
}

// desiredMethod is the way to apply that a block asks for. Unknown: what the release was made with is right.
func desiredMethod(apply string) cty.Value {
	if apply == schema.ApplyServer || apply == schema.ApplyClient {
		return cty.StringVal(apply)
	}
	return cty.UnknownVal(cty.String)
}

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// agreement is what the lock file says of a chart.
type agreement struct {
	version string
	digest  string
}

// agree finds the chart in the lock file. A chart beside the blueprint must have the bytes that the lock file names now.
func agree(bp *blueprint.Blueprint, ref blueprint.Chart, source blueprint.Source) (agreement, *hcl.Diagnostic) {
	refuse := func(at, summary, format string, args ...any) (agreement, *hcl.Diagnostic) {
		rng := source.Attr(at)
		return agreement{}, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &rng}
	}
	shown := shownName(absolute(bp.Dir), ref)
	const run = "Run `cxha lock` and add the file to what is reviewed."
	if bp.Lock == nil {
		return refuse("chart", "No lock file", "The chart %q is not locked: there is no %s beside the blueprint. The file records the digest of every chart, so that a reviewed plan means the same bytes later. %s", shown, blueprint.LockFile, run)
	}
	locked, ok := findLocked(*bp.Lock, ref)
	switch {
	case !ok:
		return refuse("chart", "Chart not locked", "The chart %q is not in %s, which records the digest of every chart. %s", shown, blueprint.LockFile, run)
	case !sameChart(locked.Chart, ref):
		return refuse("version", "Chart locked in another version", "The blueprint wants version %s of the chart %q, and %s has %s. %s", ref.Version, shown, blueprint.LockFile, locked.Version, run)
	case !isLocal(ref):
		return agreement{version: ref.Version, digest: locked.Digest}, nil
	}
	files, digest, err := readLocal(ref)
	if err != nil {
		return refuse("chart", "Chart cannot be read", "The chart %q cannot be read: %s.", shown, err)
	}
	if digest != locked.Digest {
		return refuse("chart", "Chart differs from the lock file", "The files of the chart %q have the digest %s, and %s has %s. If the change is wanted, run `cxha lock` and add the file to what is reviewed.", shown, digest, blueprint.LockFile, locked.Digest)
	}
	ch, err := assemble(ref, files)
	if err != nil {
		return refuse("chart", "Chart cannot be used", "The chart %q cannot be used: %s.", shown, err)
	}
	return agreement{version: ch.Metadata.Version, digest: digest}, nil
}

// findLocked returns the lock of a chart, or of another version of it.
func findLocked(lock blueprint.Lock, ref blueprint.Chart) (found blueprint.LockedChart, ok bool) {
	for _, c := range lock.Charts {
		switch {
		case sameChart(c.Chart, ref):
			return c, true
		case sameSource(c.Chart, ref):
			found, ok = c, true
		}
	}
	return found, ok
}
