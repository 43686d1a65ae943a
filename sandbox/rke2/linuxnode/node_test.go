//go:build linux

package linuxnode_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/sandbox/rke2"
	"github.com/expertflow/cxha/sandbox/rke2/linuxhost"
	"github.com/expertflow/cxha/sandbox/rke2/linuxnode"
	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// options are those of a node whose config.yaml has this text.
func options(t *testing.T, role settings.Role, config string) rke2.NodeOptions {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := settings.Load(linuxhost.Files{}, role, nil, map[string]string{"RKE2_CONFIG_FILE": file})
	if err != nil {
		t.Fatal(err)
	}
	return rke2.NodeOptions{
		Role: role, Name: "w1", IP: netip.MustParseAddr("10.10.1.11"), Version: "v1.35.7+rke2r1", DataDir: dir, Config: loaded,
		Cluster: rke2.ClusterConfig{ClusterCIDR: "10.42.0.0/16", ClusterDNS: "10.43.0.10", ClusterDomain: "cluster.local"},
		Log:     rke2.Journal{Out: t.Output()},
	}
}

func TestKubeletArguments(t *testing.T) {
	t.Parallel()
	o := options(t, settings.Agent, "node-label: [zone=a]\nnode-taint: ['x=y:NoSchedule', 'z:NoExecute']\nkubelet-arg: [max-pods=55, v=2]\n")
	got, err := linuxnode.KubeletArguments(o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"--config-dir=" + o.DataDir + "/agent/etc/kubelet.conf.d", "--hostname-override=w1",
		"--kubeconfig=" + o.DataDir + "/agent/kubelet.kubeconfig", "--max-pods=55", "--node-ip=10.10.1.11",
		"--node-labels=node.kubernetes.io/instance-type=rke2,beta.kubernetes.io/instance-type=rke2,zone=a",
		"--register-with-taints=x=y:NoSchedule,z:NoExecute", "--v=2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

func TestKubeletConfig(t *testing.T) {
	t.Parallel()
	o := options(t, settings.Agent, "resolv-conf: /etc/own.conf\n")
	if err := linuxnode.WriteKubeletConfig(o); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(o.DataDir + "/agent/etc/kubelet.conf.d/00-rke2-defaults.conf")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"kind": "KubeletConfiguration", "resolvConf": "/etc/own.conf", "failCgroupV1": false, "cgroupDriver": "cgroupfs",
		"clusterDNS": []any{"10.43.0.10"}, "staticPodPath": o.DataDir + "/agent/pod-manifests",
	} {
		if diff := cmp.Diff(want, config[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

// A host that was a server and becomes an agent keeps none of a server's static pods.
func TestStaticPods(t *testing.T) {
	t.Parallel()
	o := options(t, settings.Server, "")
	for _, step := range []struct {
		role settings.Role
		want []string
	}{
		{settings.Server, []string{"etcd.yaml", "kube-apiserver.yaml", "kube-controller-manager.yaml", "kube-proxy.yaml", "kube-scheduler.yaml"}},
		{settings.Agent, []string{"kube-proxy.yaml"}},
	} {
		o.Role = step.role
		if err := linuxnode.WriteStaticPods(o); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(o.DataDir + "/agent/pod-manifests")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, entry := range entries {
			got = append(got, entry.Name())
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.role, diff)
		}
	}
	data, err := os.ReadFile(o.DataDir + "/agent/pod-manifests/kube-proxy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict(data, &pod); err != nil || pod.Namespace != "kube-system" || !pod.Spec.HostNetwork {
		t.Errorf("kube-proxy.yaml: %v\n%s", err, data)
	}
}

func TestContainerdConfig(t *testing.T) {
	t.Parallel()
	config, err := linuxnode.ContainerdConfig(options(t, settings.Agent, "snapshotter: native\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`address = "/run/k3s/containerd/containerd.sock"`, "restrict_oom_score_adj = true", "disable_apparmor = true",
		`sandbox = "docker.io/rancher/mirrored-pause:3.6"`, `snapshotter = "native"`,
	} {
		if !strings.Contains(string(config), want) {
			t.Errorf("%s is not in\n%s", want, config)
		}
	}
}

func TestNetworkConfig(t *testing.T) {
	t.Parallel()
	config, err := linuxnode.NetworkConfig(netip.MustParsePrefix("10.42.3.0/24"), 1450)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Plugins []struct {
			Type, Bridge string
			MTU          int
			IPAM         struct {
				Ranges [][]struct{ Subnet string }
			}
		}
	}
	if err := json.Unmarshal(config, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Plugins) != 2 || list.Plugins[0].Bridge != "cni0" || list.Plugins[0].MTU != 1450 ||
		list.Plugins[0].IPAM.Ranges[0][0].Subnet != "10.42.3.0/24" || list.Plugins[1].Type != "portmap" {
		t.Errorf("got %s", config)
	}
}

func TestSeatOf(t *testing.T) {
	t.Parallel()
	internal := corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "10.10.1.11"}
	for name, c := range map[string]struct {
		pods      string
		addresses []corev1.NodeAddress
		want      linuxnode.Seat
		whole     bool
	}{
		"whole":      {"10.42.1.0/24", []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "w1"}, internal}, seat("10.42.1.0/24", "10.10.1.11"), true},
		"no range":   {"", []corev1.NodeAddress{internal}, linuxnode.Seat{Host: netip.MustParseAddr("10.10.1.11")}, false},
		"no address": {"10.42.1.0/24", nil, linuxnode.Seat{Pods: netip.MustParsePrefix("10.42.1.0/24")}, false},
		"external":   {"10.42.1.0/24", []corev1.NodeAddress{{Type: corev1.NodeExternalIP, Address: "192.0.2.1"}}, linuxnode.Seat{Pods: netip.MustParsePrefix("10.42.1.0/24")}, false},
		"version 6":  {"fd00::/64", []corev1.NodeAddress{internal}, seat("fd00::/64", "10.10.1.11"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, whole := linuxnode.SeatOf(&corev1.Node{Spec: corev1.NodeSpec{PodCIDR: c.pods}, Status: corev1.NodeStatus{Addresses: c.addresses}})
			if got != c.want || whole != c.whole {
				t.Errorf("got %v, %v, want %v, %v", got, whole, c.want, c.whole)
			}
		})
	}
}

func TestHasNameServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		resolv string
		want   bool
	}{
		"one":          {"search a\nnameserver 10.10.0.2\n", true},
		"none":         {"search a\n", false},
		"loopback":     {"nameserver 127.0.0.53\n", false},
		"one of them":  {"nameserver 10.10.0.2\nnameserver ::1\n", false},
		"no address":   {"nameserver dns\n", false},
		"in a comment": {"# nameserver 10.10.0.2\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := linuxnode.HasNameServer([]byte(c.resolv)); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func FuzzHasNameServer(f *testing.F) {
	f.Add([]byte("nameserver 10.10.0.2\n"))
	f.Add([]byte("nameserver 127.0.0.1 x"))
	f.Fuzz(func(t *testing.T, resolv []byte) {
		if linuxnode.HasNameServer(resolv) && linuxnode.HasNameServer(append(slices.Clone(resolv), "\nnameserver 127.0.0.1\n"...)) {
			t.Errorf("%q: with a loopback server it is still taken", resolv)
		}
	})
}

func TestFindArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.tar", "b.tar.gz", "c.tar.zst", "d.txt", ".cache.json", "e.tar.lz4"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := linuxnode.FindArchives(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.tar", "b.tar.gz", "c.tar.zst"} {
		if found[filepath.Join(dir, name)] == "" {
			t.Errorf("%s was not found", name)
		}
	}
	if len(found) != 3 {
		t.Errorf("got %v", found)
	}
	if none, err := linuxnode.FindArchives(filepath.Join(dir, "no")); err != nil || len(none) != 0 {
		t.Errorf("a directory that is not there: %v, %v", none, err)
	}
}

func TestCopyPrograms(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "data", "bin")
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(from, "runc"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := linuxnode.CopyPrograms(from, to); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(to, "runc"))
		if err != nil || string(got) != text {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
	}
	write("one")
	before, err := os.Stat(filepath.Join(to, "runc"))
	if err != nil || before.Mode().Perm() != 0o755 {
		t.Fatalf("%v, %v", before, err)
	}
	if err := linuxnode.CopyPrograms(from, to); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(filepath.Join(to, "runc")); err != nil || !os.SameFile(before, after) {
		t.Errorf("a program that had not changed was copied: %v", err)
	}
	write("another")
	if err := linuxnode.CopyPrograms(filepath.Join(from, "no"), to); err == nil {
		t.Error("a release without programs is taken")
	}
}

func TestInstallRuntime(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "data", "bin")
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{from + "/runc": "new", to + "/runc": "old", from + "/containerd-shim-runc-v2": "shim"} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// A link from an earlier release is no copy.
	if err := os.Symlink(from+"/containerd-shim-runc-v2", to+"/containerd-shim-runc-v2"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there
		if err := linuxnode.InstallRuntime(from, to); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(to + "/runc"); err != nil || string(got) != "new" {
			t.Errorf("runc: %q, %v", got, err)
		}
		// The kernel tells of the file that a link leads to, and rke2-killall.sh looks for shims in the data directory.
		if shim, err := os.Lstat(to + "/containerd-shim-runc-v2"); err != nil || !shim.Mode().IsRegular() {
			t.Errorf("shim: %v, %v", shim, err)
		}
	}
	if err := linuxnode.InstallRuntime(filepath.Join(from, "no"), to); err == nil {
		t.Error("a release without programs is taken")
	}
}
