package rke2

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

//go:embed base/*.yaml
var baseFiles embed.FS

//go:embed charts/*.yaml
var chartFiles embed.FS

// values are a chart's values.
type values = map[string]any

// chartDefaults are the packaged charts with the values that the stand-in understands; HelmChartConfigs are laid over them.
// Tolerations and affinity of CoreDNS are those of domain.md §6.5.
func chartDefaults(clusterDNS string) map[string]values {
	onLinux := values{"kubernetes.io/os": "linux"}
	return map[string]values{
		"rke2-canal": {},
		"rke2-coredns": {
			"clusterDNS": clusterDNS, "replicaCount": 2, "nodeSelector": onLinux,
			"tolerations": []any{
				values{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
				values{"key": "node-role.kubernetes.io/etcd", "operator": "Exists", "effect": "NoExecute"},
				values{"key": "CriticalAddonsOnly", "operator": "Exists"},
			},
			"affinity": values{"podAntiAffinity": values{"requiredDuringSchedulingIgnoredDuringExecution": []any{values{
				"topologyKey": "kubernetes.io/hostname",
				"labelSelector": values{"matchExpressions": []any{
					values{"key": "k8s-app", "operator": "In", "values": []any{"kube-dns"}},
				}},
			}}}},
		},
		"rke2-metrics-server": {
			"replicas": 1, "nodeSelector": onLinux, "tolerations": []any{}, "affinity": values{},
		},
	}
}

// renderChart makes the objects of a packaged chart from its default values and a HelmChartConfig's valuesContent.
func renderChart(name string, defaults values, valuesContent string) ([]*unstructured.Unstructured, error) {
	var given values
	if err := yaml.Unmarshal([]byte(valuesContent), &given); err != nil {
		return nil, fmt.Errorf("chart %s: valuesContent: %w", name, err)
	}
	chart, err := template.New(name+".yaml").Option("missingkey=error").Funcs(template.FuncMap{"json": encodeJSON, "lower": strings.ToLower}).
		ParseFS(chartFiles, "charts/"+name+".yaml")
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", name, err)
	}
	var manifest bytes.Buffer
	all := overlay(defaults, given)
	if name == "rke2-traefik" {
		all["nginxArgs"] = nginxArgs(all)
	}
	if err := chart.Execute(&manifest, all); err != nil {
		return nil, fmt.Errorf("chart %s: %w", name, err)
	}
	return decode(manifest.Bytes())
}

func encodeJSON(value any) (string, error) {
	encoded, err := json.Marshal(value)
	return string(encoded), err
}

// overlay lays values over defaults as Helm does: maps key by key, everything else as a whole, null removes.
func overlay(defaults, given values) values {
	result := maps.Clone(defaults)
	if result == nil {
		result = values{}
	}
	for key, value := range given {
		inner, isMap := value.(values)
		under, wasMap := result[key].(values)
		switch {
		case value == nil:
			delete(result, key)
		case isMap && wasMap:
			result[key] = overlay(under, inner)
		default:
			result[key] = value
		}
	}
	return result
}

// chartManifest is the file that RKE2 puts into the manifests directory for a packaged chart.
func chartManifest(name string) ([]byte, error) {
	return yaml.Marshal(map[string]any{
		"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart",
		"metadata": map[string]any{"name": name, "namespace": systemNamespace},
		"spec":     map[string]any{"chart": name, "bootstrap": name == "rke2-canal" || name == "rke2-coredns", "targetNamespace": systemNamespace},
	})
}
