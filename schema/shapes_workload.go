package schema

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// WorkloadTypes lists the block types that put objects into the cluster.
func WorkloadTypes() []string {
	return []string{"load_balancer", "ingress", "storage", "helm_release", "manifest", "kustomization"}
}

// kubeName makes a name for Kubernetes of a block's label or key: it knows neither _ nor capitals.
func kubeName(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}

const ofLabel = "the label, or the key of `for_each`, with - for _"

// The values of apply: how the objects of a release are sent.
const (
	ApplyAuto   = "auto"
	ApplyServer = "server"
	ApplyClient = "client"
)

var applyMethod = oneOf("Unknown way to apply", "way to apply the objects of a release", ApplyAuto, ApplyServer, ApplyClient)

func helmReleaseShape() Shape {
	chart := chartAttrs()
	chart[0].Required = true
	return Shape{
		Type:  "helm_release",
		Root:  "helm_release",
		Label: Label{Name: "NAME"},
		Doc: "A release of a Helm chart. It is a real release: `helm list` and `helm history` know it. The chart's bytes are agreed on in " +
			"`cxha.lock.hcl`, which `cxha lock` writes.",
		Example: "helm_release \"cx\" {\n  chart   = \"oci://registry.cx.internal/charts/cx\"\n  version = \"1.4.2\"\n\n  values = {\n    replicas = 2\n  }\n}",
		Attrs: append(chart,
			Attr{Name: "name", Type: cty.String, Rule: &ReleaseName, Derive: kubeName, DefaultDoc: ofLabel,
				Doc: "The release's name. A release that gets another name is another release: the old one is planned for removal.", Example: "\"cx\""},
			Attr{Name: "namespace", Type: cty.String, Rule: &Namespace, Derive: kubeName, DefaultDoc: ofLabel, Doc: "The release's namespace. It is made if it is not there.", Example: "\"cx\""},
			valuesAttr("Values for the chart, as in its values.yaml. Sensitive ones stay hidden in plans and messages.", "yamldecode(file(\"cx-values.yaml\"))"),
			Attr{Name: "apply", Type: cty.String, Default: cty.StringVal(ApplyAuto), Rule: &applyMethod,
				Doc: "How the objects are sent: `server` is the API server's own apply, which Helm 4 uses; `client` is that of Helm 3, for charts whose objects have an environment " +
					"variable twice, or fields that their kind does not know. `auto` stays with what the release was made with; a new one is tried on the server by a dry run, " +
					"and gets `client` where only that works. The plan says so.", Example: "\"client\""},
			timeoutAttr("10m"), keepAttr("helm_release"), dependsAttr(), eachAttr("helm_release")),
	}
}

// chartAttrs are the attributes that say where a chart comes from.
func chartAttrs() []Attr {
	return []Attr{
		{Name: "chart", Type: cty.String, Rule: &Chart,
			Doc: "The chart: its name in `repository`; or its address in a registry, `oci://REGISTRY/PATH/NAME`; or a directory or archive (`.tgz`) " +
				"beside the blueprint, as a path that begins with `./`, `../`, `/` or `~/`.", Example: "\"oci://registry.cx.internal/charts/cx\""},
		{Name: "repository", Type: cty.String, Rule: &Repository, Doc: "Address of the chart's repository, below which its index.yaml lies.", Example: "\"https://charts.cx.internal\""},
		{Name: "version", Type: cty.String, Rule: &ChartVersion, DefaultDoc: "none: required unless the chart is local",
			Doc: "The chart's version, exact. A local chart has it in its Chart.yaml, so there it is left out.", Example: "\"1.4.2\""},
	}
}

// defaultChartAttrs are those of blocks that know a chart.
func defaultChartAttrs(typ, chart string) []Attr {
	attrs := chartAttrs()
	attrs[0].Derive = func(kind string) string { return DefaultChart(typ, kind).Name }
	attrs[0].DefaultDoc = chart
	attrs[1].DefaultDoc = "that of the [default chart](#charts-of-blocks), if the chart has its name"
	attrs[2].DefaultDoc = attrs[1].DefaultDoc
	return append(attrs, Attr{Name: "namespace", Type: cty.String, Rule: &Namespace, DefaultDoc: "that of the [default chart](#charts-of-blocks)",
		Derive: func(kind string) string { return DefaultChart(typ, kind).Namespace }, Doc: "The release's namespace. It is made if it is not there.", Example: "\"cx-system\""})
}

// forKinds makes attributes of them that only blocks with one of these labels have.
func forKinds(kinds []string, attrs ...Attr) []Attr {
	for i := range attrs {
		attrs[i].Kinds = kinds
	}
	return attrs
}

func valuesAttr(doc, example string) Attr {
	return Attr{Name: "values", Type: cty.DynamicPseudoType, Secrecy: Keeps, Doc: doc, Example: example}
}

func timeoutAttr(limit string) Attr {
	return Attr{Name: "timeout", Type: cty.String, Default: cty.StringVal(limit), Rule: &Timeout,
		Doc: "How long to wait until everything of the block is ready. After it the run fails, and says what was not ready and why.", Example: "\"20m\""}
}

func keepAttr(typ string) Attr {
	return Attr{Name: "keep", Type: cty.Bool, Default: cty.False,
		Doc: "Leave everything of the block in the cluster when the block leaves the blueprint. It is marked there, so it holds when nobody remembers this " + typ + ".", Example: "true"}
}

func dependsAttr() Attr {
	return Attr{Name: "depends_on", Form: FormBlocks, Roots: append(append(WorkloadTypes(), NodeTypes()...), "cluster"),
		Doc: "Blocks that have to be done before this one. Only for what the other attributes do not say.", Example: "[storage.nfs]"}
}

func manifestsShape() Shape {
	return Shape{
		Type:  "manifest",
		Root:  "manifest",
		Label: Label{Name: "NAME"},
		Doc: "Kubernetes objects from YAML or JSON, applied by the server. Fields that the texts do not name belong to others. An object " +
			"that is taken out is planned for removal; one that somebody else owns is refused. At least one of `files` and `content`.",
		Example: "manifest \"policies\" {\n  files     = [\"policies\", \"quota.yaml\"]\n  namespace = \"cx\"\n}",
		Attrs: []Attr{
			{Name: "files", Type: cty.List(cty.String), Rule: &LocalFile,
				Doc: "Files with objects, relative to the blueprint's directory. Of a directory, its files `*.yaml`, `*.yml` and `*.json` are taken, and not those of " +
					"directories in it; `*`, `?` and `[a-z]` stand for parts of names. They are read in the order of their names.", Example: "[\"policies\", \"quota.yaml\", \"crds/*.yaml\"]"},
			{Name: "content", Type: cty.String, Secrecy: Keeps, Doc: "Objects as a text. A sensitive text is never shown.", Example: "templatefile(\"secret.yaml\", { password = var.password })"},
			objectNamespaceAttr(), timeoutAttr("5m"), keepAttr("manifest"), dependsAttr(), eachAttr("manifest"),
		},
	}
}

func objectNamespaceAttr() Attr {
	return Attr{Name: "namespace", Type: cty.String, Rule: &Namespace, Default: cty.StringVal("default"), Doc: "The namespace of objects that name none. It must be there, or be one of the objects.", Example: "\"cx\""}
}

func kustomizationShape() Shape {
	return Shape{
		Type:    "kustomization",
		Root:    "kustomization",
		Label:   Label{Name: "NAME"},
		Doc:     "Kubernetes objects that kustomize builds. They are applied as those of a `manifest` are.",
		Example: "kustomization \"cx\" {\n  path = \"overlays/site-a\"\n}",
		Attrs: []Attr{
			{Name: "path", Type: cty.String, Required: true, Rule: &LocalFile, Doc: "The directory with the kustomization.yaml, relative to the blueprint's directory.", Example: "\"overlays/site-a\""},
			objectNamespaceAttr(), timeoutAttr("5m"), keepAttr("kustomization"), dependsAttr(), eachAttr("kustomization"),
		},
	}
}
