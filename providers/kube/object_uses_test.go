package kube_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/providers/kube"
)

func TestUses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		object string
		want   []string
	}{
		"nothing": {object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"},
		"a pod's": {
			object: `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: cx}
spec:
  template:
    spec:
      serviceAccountName: web
      priorityClassName: high
      imagePullSecrets: [{name: pull}]
      initContainers: [{name: i, envFrom: [{configMapRef: {name: first}}, {secretRef: {name: second}}]}]
      containers: [{name: c, env: [{name: A, valueFrom: {configMapKeyRef: {name: third, key: k}}}, {name: B, valueFrom: {secretKeyRef: {name: fourth, key: k}}}, {name: C, value: x}]}]
      volumes:
      - {name: a, configMap: {name: fifth}}
      - {name: b, secret: {secretName: sixth}}
      - {name: c, persistentVolumeClaim: {claimName: data}}
      - {name: d, projected: {sources: [{configMap: {name: seventh}}, {secret: {name: eighth}}]}}
      - {name: e, emptyDir: {}}
`,
			want: []string{
				"ConfigMap/cx/fifth", "ConfigMap/cx/first", "ConfigMap/cx/seventh", "ConfigMap/cx/third", "Namespace/cx", "PersistentVolumeClaim/cx/data",
				"PriorityClass.scheduling.k8s.io/high", "Secret/cx/eighth", "Secret/cx/fourth", "Secret/cx/pull", "Secret/cx/second", "Secret/cx/sixth", "ServiceAccount/cx/web",
			},
		},
		"a StatefulSet's": {
			object: `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: cx}, spec: {serviceName: db, template: {spec: {containers: []}}}}`,
			want:   []string{"Namespace/cx", "Service/cx/db"},
		},
		"a CronJob's": {
			object: `{apiVersion: batch/v1, kind: CronJob, metadata: {name: a, namespace: cx}, spec: {jobTemplate: {spec: {template: {spec: {serviceAccountName: s}}}}}}`,
			want:   []string{"Namespace/cx", "ServiceAccount/cx/s"},
		},
		"an Ingress's": {
			object: `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a, namespace: cx}, spec: {ingressClassName: nginx, tls: [{secretName: cert}],
				defaultBackend: {service: {name: other}}, rules: [{http: {paths: [{path: /, backend: {service: {name: web}}}]}}]}}`,
			want: []string{"IngressClass.networking.k8s.io/nginx", "Namespace/cx", "Secret/cx/cert", "Service/cx/other", "Service/cx/web"},
		},
		"a binding's": {
			object: `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: a, namespace: cx}, roleRef: {kind: Role, name: r}, subjects: [{kind: ServiceAccount, name: s, namespace: other}, {kind: User, name: u}]}`,
			want:   []string{"Namespace/cx", "Role.rbac.authorization.k8s.io/cx/r", "ServiceAccount/other/s"},
		},
		"an autoscaler's": {
			object: `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a, namespace: cx}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}`,
			want:   []string{"Deployment.apps/cx/web", "Namespace/cx"},
		},
		"of a form that no API takes": {object: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: [1, 2]}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(test.object), &o.Object); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, kube.Uses(o)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
