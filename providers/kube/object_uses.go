package kube

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Uses returns the keys of the objects that an object cannot work without, sorted: ConfigMaps, Secrets, claims and the ServiceAccount
// of its pods, what an Ingress sends requests to, the Role of a binding, what an autoscaler scales.
func Uses(o *unstructured.Unstructured) []string {
	u := &uses{namespace: o.GetNamespace()}
	switch o.GroupVersionKind().GroupKind().String() {
	case "Pod":
		u.pod(fieldsAt(o.Object, "spec"))
	case "Deployment.apps", "DaemonSet.apps", "ReplicaSet.apps", "Job.batch", "ReplicationController":
		u.pod(fieldsAt(o.Object, "spec", "template", "spec"))
	case "StatefulSet.apps":
		u.pod(fieldsAt(o.Object, "spec", "template", "spec"))
		u.add("Service", stringAt(o.Object, "spec", "serviceName"))
	case "CronJob.batch":
		u.pod(fieldsAt(o.Object, "spec", "jobTemplate", "spec", "template", "spec"))
	case "Ingress.networking.k8s.io":
		u.ingress(o)
	case "RoleBinding.rbac.authorization.k8s.io", "ClusterRoleBinding.rbac.authorization.k8s.io":
		u.binding(o)
	case "HorizontalPodAutoscaler.autoscaling":
		if stringAt(o.Object, "spec", "scaleTargetRef", "apiVersion") == "apps/v1" {
			u.add(stringAt(o.Object, "spec", "scaleTargetRef", "kind")+".apps", stringAt(o.Object, "spec", "scaleTargetRef", "name"))
		}
	case "PersistentVolumeClaim":
		u.addIn("", "StorageClass.storage.k8s.io", stringAt(o.Object, "spec", "storageClassName"))
	}
	if u.namespace != "" {
		u.addIn("", "Namespace", u.namespace)
	}
	slices.Sort(u.keys)
	return slices.Compact(u.keys)
}

type uses struct {
	namespace string
	keys      []string
}

func (u *uses) add(kind, name string) { u.addIn(u.namespace, kind, name) }

func (u *uses) addIn(namespace, kind, name string) {
	if name == "" {
		return
	}
	key := kind + "/"
	if namespace != "" {
		key += namespace + "/"
	}
	u.keys = append(u.keys, key+name)
}

// pod adds what the specification of a pod names.
func (u *uses) pod(spec map[string]any) {
	u.add("ServiceAccount", stringAt(spec, "serviceAccountName"))
	u.addIn("", "PriorityClass.scheduling.k8s.io", stringAt(spec, "priorityClassName"))
	for _, s := range listIn(spec, "imagePullSecrets") {
		u.add("Secret", stringAt(s, "name"))
	}
	for _, v := range listIn(spec, "volumes") {
		u.volume(v)
	}
	for _, field := range []string{"initContainers", "containers"} {
		for _, c := range listIn(spec, field) {
			u.container(c)
		}
	}
}

func (u *uses) volume(v map[string]any) {
	u.add("ConfigMap", stringAt(v, "configMap", "name"))
	u.add("Secret", stringAt(v, "secret", "secretName"))
	u.add("PersistentVolumeClaim", stringAt(v, "persistentVolumeClaim", "claimName"))
	for _, s := range listIn(fieldsAt(v, "projected"), "sources") {
		u.add("ConfigMap", stringAt(s, "configMap", "name"))
		u.add("Secret", stringAt(s, "secret", "name"))
	}
}

func (u *uses) container(c map[string]any) {
	for _, e := range listIn(c, "env") {
		u.add("ConfigMap", stringAt(e, "valueFrom", "configMapKeyRef", "name"))
		u.add("Secret", stringAt(e, "valueFrom", "secretKeyRef", "name"))
	}
	for _, e := range listIn(c, "envFrom") {
		u.add("ConfigMap", stringAt(e, "configMapRef", "name"))
		u.add("Secret", stringAt(e, "secretRef", "name"))
	}
}

func (u *uses) ingress(o *unstructured.Unstructured) {
	spec := fieldsAt(o.Object, "spec")
	u.addIn("", "IngressClass.networking.k8s.io", stringAt(spec, "ingressClassName"))
	u.add("Service", stringAt(spec, "defaultBackend", "service", "name"))
	for _, t := range listIn(spec, "tls") {
		u.add("Secret", stringAt(t, "secretName"))
	}
	for _, r := range listIn(spec, "rules") {
		for _, p := range listIn(fieldsAt(r, "http"), "paths") {
			u.add("Service", stringAt(p, "backend", "service", "name"))
		}
	}
}

func (u *uses) binding(o *unstructured.Unstructured) {
	role := stringAt(o.Object, "roleRef", "kind")
	namespace := u.namespace
	if role == "ClusterRole" {
		namespace = ""
	}
	if role != "" {
		u.addIn(namespace, role+".rbac.authorization.k8s.io", stringAt(o.Object, "roleRef", "name"))
	}
	for _, s := range listIn(o.Object, "subjects") {
		if stringAt(s, "kind") == "ServiceAccount" {
			u.addIn(stringAt(s, "namespace"), "ServiceAccount", stringAt(s, "name"))
		}
	}
}

// fieldsAt returns the fields below a path; nil where there are none.
func fieldsAt(m map[string]any, path ...string) map[string]any {
	for _, name := range path {
		m, _ = m[name].(map[string]any)
	}
	return m
}

// stringAt returns the text at a path; empty where there is none.
func stringAt(m map[string]any, path ...string) string {
	last := len(path) - 1
	s, _ := fieldsAt(m, path[:last]...)[path[last]].(string)
	return s
}

// listIn returns the elements of a list that have fields.
func listIn(m map[string]any, name string) []map[string]any {
	elems, _ := m[name].([]any)
	var all []map[string]any
	for _, e := range elems {
		if fields, ok := e.(map[string]any); ok {
			all = append(all, fields)
		}
	}
	return all
}
