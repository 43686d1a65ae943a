package labtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Timers of the cluster, shorter than the defaults: what is observed scales with them (domain.md §6.1).
const (
	grace    = 20 * time.Second // node-monitor-grace-period
	tolerate = 15 * time.Second // default tolerations of not-ready and unreachable
)

// address is that of the watched Service, on the segment over both sites.
const address = "10.10.3.51"

const namespace = "facts"

// cluster is a lab with the example's cluster and the watched workloads.
type cluster struct {
	t         *testing.T
	ctx       context.Context
	lab, cxha string // programs
	dir       string
	api       kubernetes.Interface
}

// start brings up a lab, or skips the test and says why. It needs bin/cxha-lab with its programs, and bin/cxha.
func start(t *testing.T) *cluster {
	t.Helper()
	if testing.Short() || os.Getenv("CXHA_LAB") != "1" || runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs the lab: CXHA_LAB=1, Linux, root, and no -short")
	}
	dir, err := os.MkdirTemp("", "cxha")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, ctx: t.Context(), lab: program(t, "CXHA_LAB_PROGRAM", "cxha-lab"), cxha: program(t, "CXHA_PROGRAM", "cxha"), dir: dir}
	t.Cleanup(func() {
		c.ctx = context.Background()
		c.sandbox("down", "--wipe")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	c.sandbox("up", "--workers", "3", "--example", filepath.Join("..", "..", "examples", "web"))
	c.prepare()
	c.must(c.cxha, "lock", c.blueprint())
	began := time.Now()
	c.must(c.cxha, "apply", c.blueprint(), "--yes")
	t.Logf("observed: first apply took %s", since(began))
	c.must(c.cxha, "plan", c.blueprint(), "--detailed-exitcode")
	c.connect()
	return c
}

// program is what make built, or what the variable names.
func program(t *testing.T, variable, name string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join("..", "..", "bin", name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: %v", name, err)
	}
	return path
}

func (c *cluster) blueprint() string { return filepath.Join(c.dir, "blueprint") }

// prepare shortens the example's timers and adds the watched workloads.
func (c *cluster) prepare() {
	c.t.Helper()
	name := filepath.Join(c.blueprint(), "main.cxha.hcl")
	text, err := os.ReadFile(name)
	if err != nil {
		c.t.Fatal(err)
	}
	const seconds = "toleration-seconds=60"
	if !strings.Contains(string(text), seconds) || !strings.Contains(string(text), "kube-apiserver-arg") {
		c.t.Fatalf("%s does not set the default tolerations any more", name)
	}
	short := strings.ReplaceAll(string(text), seconds, fmt.Sprintf("toleration-seconds=%d", int(tolerate.Seconds())))
	short = strings.Replace(short, "    kube-apiserver-arg",
		fmt.Sprintf("    kube-controller-manager-arg = [\"node-monitor-grace-period=%s\"]\n    kube-apiserver-arg", grace), 1)
	workloads, err := os.ReadFile(filepath.Join("testdata", "facts.yaml"))
	if err != nil {
		c.t.Fatal(err)
	}
	for file, content := range map[string]string{
		"main.cxha.hcl": short, "facts.yaml": string(workloads),
		"facts.cxha.hcl": "manifest \"facts\" {\n  files      = [\"facts.yaml\"]\n  depends_on = [load_balancer.metallb]\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(c.blueprint(), file), []byte(content), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
}

// connect makes the client.
func (c *cluster) connect() {
	c.t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(c.sandbox("kubeconfig")))
	if err != nil {
		c.t.Fatal(err)
	}
	config.Timeout = 5 * time.Second // the control plane is off for a while
	if c.api, err = kubernetes.NewForConfig(config); err != nil {
		c.t.Fatal(err)
	}
}

// run runs a program and returns what it printed.
func (c *cluster) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(c.ctx, name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out), nil
}

func (c *cluster) must(name string, args ...string) string {
	c.t.Helper()
	out, err := c.run(name, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// sandbox is a verb of the lab.
func (c *cluster) sandbox(verb string, args ...string) string {
	c.t.Helper()
	return c.must(c.lab, append([]string{verb, "--dir", c.dir}, args...)...)
}

// on runs a command on a host, or in the place outside, as root.
func (c *cluster) on(place, command string) (string, error) {
	out, err := c.run(c.lab, "exec", "--dir", c.dir, place, "--", command)
	return strings.TrimSpace(out), err
}

func (c *cluster) kubectl(args ...string) (string, error) {
	return c.run(c.lab, append([]string{"kubectl", "--dir", c.dir, "--"}, args...)...)
}

// await polls until look has nothing to say, and returns how long that took.
func (c *cluster) await(what string, limit time.Duration, look func() error) time.Duration {
	c.t.Helper()
	began := time.Now()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			c.t.Fatalf("%s: not after %s: %v", what, limit, err)
		}
		select {
		case <-c.ctx.Done():
			c.t.Fatalf("%s: %v", what, context.Cause(c.ctx))
		case <-tick.C:
		}
	}
}

// holds polls for a while, and wants look to have nothing to say all the time.
func (c *cluster) holds(what string, d time.Duration, look func() error) {
	c.t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < d; {
		if err := look(); err != nil {
			c.t.Fatalf("%s: after %s: %v", what, since(began), err)
		}
		<-tick.C
	}
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }

// fetch asks for the watched Service from outside the hosts; the answer names pod and node.
func (c *cluster) fetch() (string, error) {
	return c.on("outside", "curl -sS --fail --connect-timeout 1 --max-time 1 http://"+address+"/")
}

// pods are those of a label in the watched namespace.
func (c *cluster) pods(app string) ([]corev1.Pod, error) {
	list, err := c.api.CoreV1().Pods(namespace).List(c.ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// nodeIs tells what is other than wanted about a node's condition Ready.
func (c *cluster) nodeIs(name string, status corev1.ConditionStatus) error {
	n, err := c.api.CoreV1().Nodes().Get(c.ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			if condition.Status == status {
				return nil
			}
			return fmt.Errorf("node %s is Ready=%s: %s", name, condition.Status, condition.Message)
		}
	}
	return errors.New("node " + name + " has no condition Ready")
}

// running tells what is missing to n ready pods of a label that are not ending.
func (c *cluster) running(app string, n int) error {
	pods, err := c.pods(app)
	if err != nil {
		return err
	}
	ready := 0
	for i := range pods {
		if isReady(&pods[i]) && pods[i].DeletionTimestamp == nil {
			ready++
		}
	}
	if ready != n {
		return fmt.Errorf("%d ready pods of %s, want %d", ready, app, n)
	}
	return nil
}

// settled wants n ready pods of a label and no other: none that is ending still.
func (c *cluster) settled(app string, n int) error {
	pods, err := c.pods(app)
	if err == nil && len(pods) != n {
		err = fmt.Errorf("%d pods of %s, want %d", len(pods), app, n)
	}
	if err != nil {
		return err
	}
	return c.running(app, n)
}

func isReady(p *corev1.Pod) bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// announcer is the worker whose network card answers for the address on the segment over both sites.
func (c *cluster) announcer() (string, error) {
	if _, err := c.fetch(); err != nil {
		return "", err
	}
	neighbour, err := c.on("router", "ip neigh show "+address)
	if err != nil {
		return "", err
	}
	for _, worker := range []string{"w1", "w2", "w3"} {
		mac, err := c.on(worker, "cat /sys/class/net/eth1/address")
		if err == nil && mac != "" && strings.Contains(neighbour, mac) {
			return worker, nil
		}
	}
	return "", fmt.Errorf("no worker has the card of %q", neighbour)
}
