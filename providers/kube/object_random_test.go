package kube_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// option is a field, or a group of fields, that an object may state: JSON that is merged into it, mappings and lists alike.
type option string

// randomKind makes objects of a kind with some of many fields.
type randomKind struct {
	gvr     kschema.GroupVersionResource
	base    string   // what every object has; NAME is its name
	options []option // VALUE is a random text, COUNT a random number
}

const podSpec = `{"containers":[{"name":"main","image":"none:1"}]}`

func inTemplate(text string) option { return option(`{"spec":{"template":{"spec":` + text + `}}}`) }

func inContainer(text string) option {
	return inTemplate(`{"containers":[{"name":"main",` + strings.TrimPrefix(text, "{") + `]}`)
}

// podOptions are fields of pod templates with defaults, lists with keys of several fields, atomic ones, and sets.
var podOptions = []option{
	inContainer(`{"env":[{"name":"A","value":"VALUE"}]}`), inContainer(`{"env":[{"name":"B","value":"VALUE"},{"name":"C","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}`),
	inContainer(`{"ports":[{"containerPort":8080}]}`), inContainer(`{"ports":[{"containerPort":53,"protocol":"UDP","name":"dns"}]}`),
	inContainer(`{"imagePullPolicy":"Always"}`), inContainer(`{"resources":{"limits":{"cpu":"1000m","memory":"64Mi"}}}`), inContainer(`{"args":["VALUE","x"]}`),
	inContainer(`{"readinessProbe":{"httpGet":{"path":"/","port":8080}}}`), inContainer(`{"readinessProbe":{"periodSeconds":3,"httpGet":{"path":"/","port":8080}}}`),
	inTemplate(`{"containers":[{"name":"side","image":"none:2"}]}`), inTemplate(`{"terminationGracePeriodSeconds":COUNT}`),
	inTemplate(`{"tolerations":[{"key":"VALUE","operator":"Exists"}]}`), inTemplate(`{"nodeSelector":{"disk":"VALUE"}}`), inTemplate(`{"hostNetwork":false}`),
	inTemplate(`{"volumes":[{"name":"tmp","emptyDir":{}}]}`), inTemplate(`{"securityContext":{"runAsUser":COUNT}}`), inTemplate(`{"dnsPolicy":"Default"}`),
	`{"spec":{"template":{"metadata":{"annotations":{"note":"VALUE"}}}}}`, `{"metadata":{"labels":{"tier":"VALUE"}}}`, `{"metadata":{"annotations":{"a":"VALUE","b/c":"x"}}}`,
	`{"spec":{"revisionHistoryLimit":COUNT}}`, `{"spec":{"minReadySeconds":COUNT}}`, `{"metadata":{"finalizers":["example.org/stay"]}}`,
}

func workload(resource, kind, more string, options ...option) randomKind {
	return randomKind{
		gvr: kschema.GroupVersionResource{Group: "apps", Version: "v1", Resource: resource},
		base: `{"apiVersion":"apps/v1","kind":"` + kind + `","metadata":{"name":"NAME","namespace":"random"},"spec":{` + more +
			`"selector":{"matchLabels":{"app":"NAME"}},"template":{"metadata":{"labels":{"app":"NAME"}},"spec":` + podSpec + `}}}`,
		options: slices.Concat(podOptions, options),
	}
}

var randomKinds = []randomKind{
	workload("deployments", "Deployment", "", `{"spec":{"replicas":COUNT}}`, `{"spec":{"strategy":{"rollingUpdate":{"maxSurge":2}}}}`, `{"spec":{"progressDeadlineSeconds":700}}`, `{"spec":{"paused":false}}`),
	workload("statefulsets", "StatefulSet", `"serviceName":"x",`, `{"spec":{"replicas":COUNT}}`, `{"spec":{"updateStrategy":{"type":"OnDelete"}}}`),
	workload("daemonsets", "DaemonSet", "", `{"spec":{"updateStrategy":{"rollingUpdate":{"maxUnavailable":2}}}}`),
	{
		gvr:  kschema.GroupVersionResource{Version: "v1", Resource: "services"},
		base: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"NAME","namespace":"random"},"spec":{"ports":[{"port":80,"name":"web"}]}}`,
		options: []option{
			`{"spec":{"type":"NodePort"}}`, `{"spec":{"type":"LoadBalancer","externalTrafficPolicy":"Local"}}`, `{"spec":{"ports":[{"port":80,"targetPort":8080}]}}`,
			`{"spec":{"ports":[{"port":53,"protocol":"UDP","name":"dns"}]}}`, `{"spec":{"ports":[{"port":53,"protocol":"TCP","name":"dns-tcp"}]}}`, `{"spec":{"selector":{"app":"VALUE"}}}`,
			`{"spec":{"sessionAffinity":"ClientIP"}}`, `{"spec":{"externalIPs":["10.9.9.9"]}}`, `{"metadata":{"labels":{"tier":"VALUE"}}}`, `{"spec":{"publishNotReadyAddresses":true}}`,
		},
	},
	{
		gvr:  kschema.GroupVersionResource{Version: "v1", Resource: "configmaps"},
		base: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME","namespace":"random"}}`,
		options: []option{
			`{"data":{"a":"VALUE"}}`, `{"data":{"b":"VALUE","c.yaml":"x"}}`, `{"data":{"a":"fixed"}}`, `{"binaryData":{"z":"AAEC"}}`, `{"metadata":{"labels":{"tier":"VALUE"}}}`,
			`{"metadata":{"annotations":{"a":"VALUE"}}}`, `{"metadata":{"finalizers":["example.org/a","example.org/b"]}}`, `{"data":{"d":null}}`,
		},
	},
	{
		gvr:  kschema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
		base: `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"NAME","namespace":"random"},"spec":{"defaultBackend":{"service":{"name":"x","port":{"number":80}}}}}`,
		options: []option{
			`{"spec":{"rules":[{"host":"VALUE.example.org","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"VALUE","port":{"number":COUNT}}}}]}}]}}`,
			`{"spec":{"tls":[{"hosts":["a.example.org"],"secretName":"VALUE"}]}}`, `{"spec":{"ingressClassName":"nginx"}}`, `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/x":"VALUE"}}}`,
		},
	},
	{
		gvr:  kschema.GroupVersionResource{Group: "random.example.org", Version: "v1", Resource: "gadgets"},
		base: `{"apiVersion":"random.example.org/v1","kind":"Gadget","metadata":{"name":"NAME","namespace":"random"}}`,
		options: []option{
			`{"spec":{"size":9007199254740993}}`, `{"spec":{"size":COUNT}}`, `{"spec":{"color":"VALUE"}}`, `{"spec":{"color":"red"}}`, `{"spec":{"tags":["VALUE"]}}`, `{"spec":{"tags":["one","two"]}}`,
			`{"spec":{"parts":[{"id":1,"side":"left","weight":COUNT}]}}`, `{"spec":{"parts":[{"id":1,"weight":3},{"id":2}]}}`, `{"spec":{"parts":[{"id":2,"side":"left"}]}}`, `{"spec":{"plain":[{"x":"VALUE"},{"x":"2"}]}}`,
			`{"spec":{"any":{"deep":{"x":"VALUE","list":[1,2]}}}}`, `{"spec":{"box":{"a":"VALUE"}}}`, `{"spec":{"box":{"b":"VALUE"}}}`,
		},
	},
}

const randomGadgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.random.example.org}
spec:
  group: random.example.org
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer}
              color: {type: string, default: blue}
              tags: {type: array, x-kubernetes-list-type: set, items: {type: string}}
              plain: {type: array, items: {type: object, properties: {x: {type: string}, y: {type: string, default: z}}}}
              box: {type: object, x-kubernetes-map-type: atomic, properties: {a: {type: string}, b: {type: string}}}
              any: {type: object, x-kubernetes-preserve-unknown-fields: true}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [id, side]
                items: {type: object, required: [id], properties: {id: {type: integer}, side: {type: string, default: right}, weight: {type: integer}}}
`

func (k randomKind) object(r *rand.Rand, name string) map[string]any {
	o := parsed(strings.ReplaceAll(k.base, "NAME", name))
	for _, i := range r.Perm(len(k.options)) {
		if r.IntN(3) == 0 {
			o = mergedWith(o, parsed(k.options[i].text(r))).(map[string]any)
		}
	}
	return o
}

func (o option) text(r *rand.Rand) string {
	return strings.NewReplacer("VALUE", string(rune('a'+r.IntN(4))), "COUNT", fmt.Sprint(1+r.IntN(4))).Replace(string(o))
}

func parsed(text string) map[string]any {
	var m map[string]any
	if err := utiljson.Unmarshal([]byte(text), &m); err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return m
}

// mergedWith merges mappings, and elements of lists that have the same key.
func mergedWith(a, b any) any {
	switch b := b.(type) {
	case map[string]any:
		if a, ok := a.(map[string]any); ok {
			out := maps.Clone(a)
			for k, v := range b {
				out[k] = mergedWith(out[k], v)
			}
			return out
		}
	case []any:
		if a, ok := a.([]any); ok {
			out := slices.Clone(a)
			for _, e := range b {
				i := slices.IndexFunc(out, func(o any) bool { return identical(o, e) })
				if i < 0 {
					out = append(out, e)
				} else {
					out[i] = mergedWith(out[i], e)
				}
			}
			return out
		}
	}
	return b
}

// identical reports whether two elements of a list are the same one. Fields of keys that are left out have their defaults.
func identical(a, b any) bool {
	x, ok1 := a.(map[string]any)
	y, ok2 := b.(map[string]any)
	if !ok1 || !ok2 {
		return cmp.Equal(a, b)
	}
	for _, names := range [][]string{{"containerPort", "protocol"}, {"port", "protocol"}, {"id", "side"}, {"name"}} {
		if _, ok := x[names[0]]; ok {
			return !slices.ContainsFunc(names, func(n string) bool { return keyField(x, n) != keyField(y, n) })
		}
	}
	return cmp.Equal(a, b)
}

func keyField(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	return map[string]any{"protocol": "TCP", "side": "right"}[name]
}
