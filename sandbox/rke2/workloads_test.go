package rke2_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/sandbox/charts/chartstest"
	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/rke2"
	"github.com/expertflow/cxha/sandbox/rke2/settings"
	"github.com/expertflow/cxha/sandbox/rke2/virtualhost"
)

// workloads is a cluster whose pods are played.
type workloads struct {
	*site
	cp1 *host
	api kubernetes.Interface
}

const webhookDelay = 2 * time.Second

// TestIntegrationWorkloads installs the sandbox's charts in a cluster of one control plane and two workers, and watches what their
// pods would do.
func TestIntegrationWorkloads(t *testing.T) {
	integration(t)
	t.Parallel()
	s := newSite(t, 4*time.Minute)
	s.options = virtualhost.Options{WebhookDelay: webhookDelay, Provision: func(server, path, sub string) error {
		if server != "10.10.1.60" || path != "/export/cx" || !strings.HasPrefix(sub, "pvc-") {
			return errors.New("mount.nfs: access denied by server while mounting " + server + ":" + path)
		}
		return nil
	}}
	w := workloads{site: s, cp1: s.host("cp1", "10.10.1.10")}
	workers := map[string]*host{"w1": s.host("w1", "10.10.1.11"), "w2": s.host("w2", "10.10.2.11")}
	w.cp1.install(settings.Server, serverConfig+"\ningress-controller: traefik\nnode-taint: [\"node-role.kubernetes.io/control-plane=:NoSchedule\"]")
	w.cp1.run("systemctl start rke2-server")
	for name, h := range workers {
		config := strings.NewReplacer("node-name: w1", "node-name: "+name, "10.10.2.11", h.Net().Addrs()[0].String()).Replace(agentConfig)
		h.install(settings.Agent, config)
		h.run("systemctl start rke2-agent")
	}
	w.api = w.cp1.api()
	w.webhook()
	w.loadBalancer()
	w.traefik()
	w.volumes()
	w.notReady()
	w.announcerDies(workers)
}

func (w workloads) apply(manifest string) error {
	return rke2.Apply(w.ctx, w.cp1.apiConfig(), []byte(manifest))
}

// must applies a manifest whose kinds may not be served yet.
func (w workloads) must(manifest string) {
	w.t.Helper()
	w.await("applied "+strings.SplitN(manifest, "\n", 2)[0], func() error { return w.apply(manifest) })
}

func (w workloads) install(chart, namespace, values string) {
	w.t.Helper()
	manifest, err := chartstest.Render(chart, namespace, values)
	if err != nil {
		w.t.Fatal(err)
	}
	w.must(fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n%s", namespace, manifest))
}

const pool = `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: %s, namespace: metallb-system}
spec: {addresses: [%s]}`

// The webhook refuses connections for some time after its pod is ready; then it accepts what is right.
func (w workloads) webhook() {
	w.t.Helper()
	w.install("metallb", "metallb-system", "{frrk8s: {enabled: false}}")
	good := fmt.Sprintf(pool, "first-pool", "10.10.1.50/32")
	w.await("refused while the webhook is not there", func() error {
		err := w.apply(fmt.Sprintf(pool, "probe", "nonsense"))
		if err == nil || !strings.Contains(err.Error(), `failed calling webhook "ipaddresspoolvalidationwebhook.metallb.io"`) ||
			!strings.Contains(err.Error(), "connection refused") {
			return fmt.Errorf("applying a pool without the webhook: %w", err)
		}
		return nil
	})
	w.must(good)
	pods, err := w.api.CoreV1().Pods("metallb-system").List(w.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
	if err != nil || len(pods.Items) != 1 {
		w.t.Fatalf("controller pods: %v, %v", pods, err)
	}
	for _, c := range pods.Items[0].Status.Conditions {
		// The API keeps whole seconds.
		if c.Type == corev1.PodReady && time.Since(c.LastTransitionTime.Time) < webhookDelay {
			w.t.Errorf("the webhook answered %s after its pod was ready", time.Since(c.LastTransitionTime.Time))
		}
	}
	for what, c := range map[string]struct{ manifest, message string }{
		"overlap": {fmt.Sprintf(pool, "second", "10.10.1.40-10.10.1.60"), `CIDR "10.10.1.40-10.10.1.60" in pool "second" overlaps with already defined CIDR "10.10.1.50/32"`},
		"reverse": {fmt.Sprintf(pool, "second", "10.10.1.60-10.10.1.40"), `is after the end IP`},
		"no CIDR": {fmt.Sprintf(pool, "second", "10.10.1.300/32"), `invalid CIDR "10.10.1.300/32"`},
	} {
		if err := w.apply(c.manifest); err == nil || !strings.Contains(err.Error(), "denied the request") || !strings.Contains(err.Error(), c.message) {
			w.t.Errorf("%s: got %v, want a denial with %q", what, err, c.message)
		}
	}
}

const service = `apiVersion: v1
kind: Service
metadata: {name: %s, namespace: default, annotations: {%s}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: %d}]}`

// Services get their addresses, from the pool or as they ask; one node answers ARP while there is an endpoint.
func (w workloads) loadBalancer() {
	w.t.Helper()
	w.must("apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: l2, namespace: metallb-system}\nspec: {ipAddressPools: [first-pool]," +
		" nodeSelectors: [{matchLabels: {kubernetes.io/hostname: w1}}, {matchLabels: {kubernetes.io/hostname: w2}}]}")
	w.must(fmt.Sprintf(service, "web", "", 80))
	w.awaitAddress("default", "web", "10.10.1.50")
	vip := netip.MustParseAddr("10.10.1.50")
	if got := w.cp1.Net().Neighbour(vip); got != "" {
		w.t.Errorf("%s announces an address of a Service without endpoints", got)
	}
	w.must("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: default}\nspec: {replicas: 2, selector: {matchLabels: {app: web}}," +
		" template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: 'example/web:1'}]}}}")
	w.await("a worker announces the address", func() error { return w.announcedByWorker(vip) })
	w.must(fmt.Sprintf(service, "more", "", 80))
	w.await("the event of a Service for which there is no address", func() error {
		events, err := w.api.CoreV1().Events("default").List(w.ctx, metav1.ListOptions{FieldSelector: "reason=AllocationFailed"})
		if err == nil && (len(events.Items) != 1 || events.Items[0].Message != `Failed to allocate IP for "default/more": no available IPs`) {
			err = fmt.Errorf("%v", events.Items)
		}
		return err
	})
	w.must(fmt.Sprintf(pool, "first-pool", "10.10.1.50/32, 10.10.1.70-10.10.1.79"))
	w.awaitAddress("default", "more", "10.10.1.70")
	w.must(fmt.Sprintf(service, "more", `metallb.io/loadBalancerIPs: "10.10.1.75"`, 80))
	w.awaitAddress("default", "more", "10.10.1.75")
	w.must(fmt.Sprintf(strings.Replace(service, "LoadBalancer", "ClusterIP", 1), "more", "", 80))
	w.awaitAddress("default", "more", "")
}

func (w workloads) announcedByWorker(vip netip.Addr) error {
	got := w.cp1.Net().Neighbour(vip)
	for _, worker := range []string{"10.10.1.11", "10.10.2.11"} {
		if got == w.cp1.Net().Neighbour(netip.MustParseAddr(worker)) && got != "" {
			return nil
		}
	}
	return fmt.Errorf("%s is at %q", vip, got)
}

func (w workloads) awaitAddress(namespace, name, want string) {
	w.t.Helper()
	w.await(fmt.Sprintf("service %s has the address %q", name, want), func() error {
		s, err := w.api.CoreV1().Services(namespace).Get(w.ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		got := ""
		for _, ingress := range s.Status.LoadBalancer.Ingress {
			got += ingress.IP
		}
		if got != want {
			return fmt.Errorf("it has %q", got)
		}
		return nil
	})
}

// Traefik is deployed because the configuration says so; a HelmChartConfig puts it behind the load balancer.
func (w workloads) traefik() {
	w.t.Helper()
	w.must(`apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata: {name: rke2-traefik, namespace: kube-system}
spec:
  valuesContent: |
    service: {type: LoadBalancer, annotations: {metallb.io/loadBalancerIPs: "10.10.1.71"}}
    providers: {kubernetesIngressNGINX: {enabled: true, ingressClass: nginx, controllerClass: k8s.io/ingress-nginx}}`)
	w.awaitAddress("kube-system", "rke2-traefik", "10.10.1.71")
	w.must("{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: nginx}, spec: {controller: k8s.io/ingress-nginx}}")
	w.must("{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: default}, spec: {ingressClassName: nginx," +
		" defaultBackend: {service: {name: web, port: {number: 80}}}}}")
	w.await("the Ingress of class nginx has Traefik's address", func() error {
		ingress, err := w.api.NetworkingV1().Ingresses("default").Get(w.ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if have := ingress.Status.LoadBalancer.Ingress; len(have) != 1 || have[0].IP != "10.10.1.71" {
			return fmt.Errorf("its status has %v", have)
		}
		return nil
	})
	class, err := w.api.NetworkingV1().IngressClasses().Get(w.ctx, "traefik", metav1.GetOptions{})
	if err != nil || class.Annotations["ingressclass.kubernetes.io/is-default-class"] != "true" {
		w.t.Errorf("class traefik: %v, %v", class, err)
	}
	if _, err := w.api.AppsV1().DaemonSets("kube-system").Get(w.ctx, "rke2-ingress-nginx-controller", metav1.GetOptions{}); err == nil {
		w.t.Error("ingress-nginx is there too")
	}
}

// Claims of an NFS class are bound at once, those of a local class to the node of their pod; a class with a strange server is refused.
func (w workloads) volumes() {
	w.t.Helper()
	class := "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: %s}\nprovisioner: nfs.csi.k8s.io\nparameters: {server: %s, share: /export/cx}"
	w.must(fmt.Sprintf(class, "cx-nfs", "10.10.1.60"))
	w.must(fmt.Sprintf(class, "wrong", "10.9.9.9"))
	w.install("cx", "cx", "{storageClass: cx-nfs, replicas: 1}")
	w.must("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: wrong, namespace: cx}\nspec: {storageClassName: wrong, accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}")
	w.install("local-path-provisioner", "local-path-storage", "")
	w.must("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: local, namespace: cx}\nspec: {storageClassName: local-path, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}")
	if phase, err := w.phase("data-cx-db-0"); err != nil || phase != corev1.ClaimPending {
		w.t.Errorf("without the driver the claim is %s, %v", phase, err)
	}
	w.install("csi-driver-nfs", "kube-system", "")
	for _, claim := range []string{"cx-uploads", "data-cx-db-0"} {
		w.awaitBound(claim)
	}
	w.await("the pods with these claims run", func() error {
		d, err := w.api.AppsV1().Deployments("cx").Get(w.ctx, "cx-web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		db, err := w.api.AppsV1().StatefulSets("cx").Get(w.ctx, "cx-db", metav1.GetOptions{})
		if err == nil && (d.Status.ReadyReplicas != 1 || db.Status.ReadyReplicas != 1) {
			err = fmt.Errorf("%d and %d ready", d.Status.ReadyReplicas, db.Status.ReadyReplicas)
		}
		return err
	})
	w.await("the event of the class with a strange server", func() error {
		events, err := w.api.CoreV1().Events("cx").List(w.ctx, metav1.ListOptions{FieldSelector: "reason=ProvisioningFailed,involvedObject.name=wrong"})
		if err == nil && (len(events.Items) != 1 || !strings.Contains(events.Items[0].Message, "mount.nfs: access denied")) {
			err = fmt.Errorf("%v", events.Items)
		}
		return err
	})
	if phase, err := w.phase("local"); err != nil || phase != corev1.ClaimPending {
		w.t.Errorf("without a pod the local claim is %s, %v", phase, err)
	}
	w.must("apiVersion: v1\nkind: Pod\nmetadata: {name: local, namespace: cx}\nspec: {containers: [{name: c, image: 'x:1', volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, persistentVolumeClaim: {claimName: local}}]}")
	w.awaitBound("local")
	w.reclaimed()
}

func (w workloads) phase(claim string) (corev1.PersistentVolumeClaimPhase, error) {
	c, err := w.api.CoreV1().PersistentVolumeClaims("cx").Get(w.ctx, claim, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return c.Status.Phase, nil
}

func (w workloads) awaitBound(claim string) {
	w.t.Helper()
	w.await("claim "+claim+" is bound", func() error {
		phase, err := w.phase(claim)
		if err == nil && phase != corev1.ClaimBound {
			err = fmt.Errorf("it is %s", phase)
		}
		return err
	})
}

// A volume goes with its claim.
func (w workloads) reclaimed() {
	w.t.Helper()
	claim, err := w.api.CoreV1().PersistentVolumeClaims("cx").Get(w.ctx, "local", metav1.GetOptions{})
	if err == nil {
		err = errors.Join(w.api.CoreV1().Pods("cx").Delete(w.ctx, "local", metav1.DeleteOptions{}),
			w.api.CoreV1().PersistentVolumeClaims("cx").Delete(w.ctx, "local", metav1.DeleteOptions{}))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.await("the volume is gone", func() error {
		volume, err := w.api.CoreV1().PersistentVolumes().Get(w.ctx, claim.Spec.VolumeName, metav1.GetOptions{})
		if err == nil {
			return fmt.Errorf("it is %s", volume.Status.Phase)
		}
		return nil
	})
}

// Pods can be kept from being ready, with a reason; those of Jobs complete.
func (w workloads) notReady() {
	w.t.Helper()
	pod := func(image string, annotations map[string]string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "x"}, Annotations: annotations},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: image}}, RestartPolicy: corev1.RestartPolicyAlways},
		}
	}
	for name, template := range map[string]corev1.PodTemplateSpec{
		"broken": pod("registry.example/x:broken", nil),
		"crash":  pod("registry.example/x:1", map[string]string{controlplane.NotReadyAnnotation: "CrashLoopBackOff"}),
	} {
		_, err := w.api.AppsV1().Deployments("cx").Create(w.ctx, &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
		}, metav1.CreateOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.await("both reasons", func() error {
		pods, err := w.api.CoreV1().Pods("cx").List(w.ctx, metav1.ListOptions{LabelSelector: "app=x"})
		if err != nil {
			return err
		}
		reasons := map[string]bool{}
		for _, p := range pods.Items {
			for _, c := range p.Status.ContainerStatuses {
				if c.State.Waiting != nil && !c.Ready {
					reasons[c.State.Waiting.Reason] = true
				}
			}
		}
		if !reasons["ImagePullBackOff"] || !reasons["CrashLoopBackOff"] {
			return fmt.Errorf("reasons %v", reasons)
		}
		return nil
	})
	template := pod("registry.example/x:1", nil)
	template.Spec.RestartPolicy, template.Labels = corev1.RestartPolicyNever, nil
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "once"}, Spec: batchv1.JobSpec{Template: template}}
	if _, err := w.api.BatchV1().Jobs("cx").Create(w.ctx, job, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	w.await("the Job is complete", func() error {
		job, err := w.api.BatchV1().Jobs("cx").Get(w.ctx, "once", metav1.GetOptions{})
		if err == nil && job.Status.Succeeded != 1 {
			err = fmt.Errorf("%+v", job.Status)
		}
		return err
	})
}

// announcerDies cuts the power of the worker that announces the address: the other one takes over, while the control plane is there,
// and the webhook moves when its pod does.
func (w workloads) announcerDies(workers map[string]*host) {
	w.t.Helper()
	vip := netip.MustParseAddr("10.10.1.50")
	announcer := w.cp1.Net().Network().Announced()[vip]
	for _, h := range workers {
		if h.Net().Addrs()[0] != announcer {
			continue
		}
		if err := h.PowerOff(); err != nil {
			w.t.Fatal(err)
		}
		if got := w.cp1.Net().Neighbour(vip); got != "" && w.announcedByWorker(vip) != nil {
			w.t.Errorf("after the power cut %s is at %q", vip, got)
		}
	}
	w.await("the other worker announces the address", func() error {
		if now := w.cp1.Net().Network().Announced()[vip]; now == announcer {
			return fmt.Errorf("it is announced by %s", now)
		}
		return w.announcedByWorker(vip)
	})
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	if err := rke2.Remove(ctx, w.cp1.apiConfig(), []byte(fmt.Sprintf(service, "web", "", 80))); err != nil {
		w.t.Fatal(err)
	}
}
