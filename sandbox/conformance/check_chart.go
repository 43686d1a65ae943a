package conformance

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// dnsConfig is the HelmChartConfig that keeps CoreDNS off the control plane (domain.md §6.5).
const dnsConfig = `apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata: {name: rke2-coredns, namespace: kube-system}
spec:
  valuesContent: |
    affinity:
      nodeAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
          nodeSelectorTerms:
          - matchExpressions: [{key: node-role.kubernetes.io/control-plane, operator: DoesNotExist}]
`

func configMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: kube-system}\ndata: {made: by-manifest}\n"
}

func chartChecks() []Check {
	joined := []string{"C-JOIN-02"}
	return []Check{
		{ID: "C-MAN-01", Point: "what lies in the manifests directory before the first start is applied", Needs: []string{"C-API-02"}, Run: applied("conformance-first", false)},
		{ID: "C-MAN-02", Point: "what is put there later is applied too", Needs: []string{"C-API-02"}, Run: applied("conformance-later", true)},
		{ID: "C-MAN-03", Point: "a HelmChartConfig there changes the values of a chart that RKE2 brings", Needs: joined, Run: chartConfigured},
		{ID: "C-MAN-04", Point: "CoreDNS runs in the Deployment rke2-coredns-rke2-coredns once a worker is there", Needs: []string{"C-MAN-03"}, Run: dnsRuns},
		{ID: "C-CONF-09", Point: "a chart in disable is not deployed, and no ingress controller where none is asked for", Needs: []string{"C-MAN-04"}, Run: disabled},
		{ID: "C-API-07", Point: "the records of snapshots have the form that cxha status reads", Needs: []string{"C-API-02"}, Run: snapshotRecords},
	}
}

func applied(name string, write bool) func(context.Context, *World) error {
	return func(ctx context.Context, w *World) error {
		if write {
			if err := w.server.write(ctx, map[string]string{serverDir + "/manifests/" + name + ".yaml": configMap(name)}); err != nil {
				return err
			}
		}
		return w.await(ctx, "the ConfigMap "+name+" is there", settleLimit, func(ctx context.Context) (string, error) {
			return "", w.call(ctx, func(c *kubernetes.Clientset) error {
				_, err := c.CoreV1().ConfigMaps("kube-system").Get(ctx, name, metav1.GetOptions{})
				return err
			})
		})
	}
}

const dnsDeployment = "rke2-coredns-rke2-coredns"

func chartConfigured(ctx context.Context, w *World) error {
	return w.await(ctx, "the Deployment of CoreDNS has the affinity of the HelmChartConfig", settleLimit, func(ctx context.Context) (missing string, err error) {
		err = w.call(ctx, func(c *kubernetes.Clientset) error {
			d, err := c.AppsV1().Deployments("kube-system").Get(ctx, dnsDeployment, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if a := d.Spec.Template.Spec.Affinity; a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
				missing = "it has no required node affinity"
			}
			return nil
		})
		return missing, err
	})
}

func dnsRuns(ctx context.Context, w *World) error {
	return w.await(ctx, "CoreDNS has a ready pod", startLimit, func(ctx context.Context) (missing string, err error) {
		err = w.call(ctx, func(c *kubernetes.Clientset) error {
			d, err := c.AppsV1().Deployments("kube-system").Get(ctx, dnsDeployment, metav1.GetOptions{})
			if err == nil && d.Status.ReadyReplicas == 0 {
				missing = fmt.Sprintf("%d pods, none ready", d.Status.Replicas)
			}
			return err
		})
		return missing, err
	})
}

func disabled(ctx context.Context, w *World) error {
	found := ""
	err := w.call(ctx, func(c *kubernetes.Clientset) error {
		list, err := c.AppsV1().Deployments("kube-system").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, d := range list.Items {
			if d.Name == "rke2-metrics-server" {
				found = "the Deployment " + d.Name
			}
		}
		classes, err := c.NetworkingV1().IngressClasses().List(ctx, metav1.ListOptions{})
		if err == nil && len(classes.Items) > 0 {
			found = "the IngressClass " + classes.Items[0].Name
		}
		return err
	})
	if err != nil {
		return err
	}
	return want("of what was disabled", "", found)
}

func snapshotRecords(ctx context.Context, w *World) error {
	var text []byte
	err := w.call(ctx, func(c *kubernetes.Clientset) (err error) {
		text, err = c.Discovery().RESTClient().Get().AbsPath("/apis/k3s.cattle.io/v1/etcdsnapshotfiles").SetHeader("Accept", "application/json").DoRaw(ctx)
		return err
	})
	if apierrors.IsNotFound(err) {
		return &Skip{Why: "the type etcdsnapshotfiles of k3s.cattle.io/v1 is not there"}
	}
	if err != nil {
		return err
	}
	var list struct {
		Kind  string `json:"kind"`
		Items []struct {
			Spec struct {
				SnapshotName string `json:"snapshotName"`
			} `json:"spec"`
		} `json:"items"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return differs("a list in JSON", "%v", err)
	}
	for _, item := range list.Items {
		if item.Spec.SnapshotName == "" {
			return differs("spec.snapshotName in every record", "one without it")
		}
	}
	return want("as the kind", "ETCDSnapshotFileList", list.Kind)
}
