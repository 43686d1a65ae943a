package schema_test

import (
	"strings"
	"testing"

	"github.com/expertflow/cxha/schema"
)

// TestRules gives each rule values that it takes and values that it refuses.
func TestRules(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		rule schema.Rule
		good []string
		bad  []string
	}{
		"address":   {schema.Address, []string{"10.10.1.10", "2001:db8::1"}, []string{"", "10.10.1", "10.10.1.256", "10.10.1.1/24", "0.0.0.0", "127.0.0.1", "224.0.0.1", "169.254.1.1", "fe80::1%eth0", "w1"}},
		"network":   {schema.Network, []string{"10.42.0.0/16", "2001:db8::/56"}, []string{"", "10.42.0.0", "10.42.1.0/16", "10.42.0.0/33"}},
		"host name": {schema.HostName, []string{"cp.cx.internal", "cp", "10.10.1.10", "2001:db8::1"}, []string{"", "CP", "cp.", "-cp", "https://cp", "cp:9345", "10.10.1.300", "localhost", "a_b", strings.Repeat("a.", 130)}},
		"web":       {schema.WebAddress, []string{"https://get.rke2.io", "http://10.10.1.2:8080/rke2"}, []string{"", "get.rke2.io", "ftp://x/", "https://", "https://u:p@x/", "/srv/x"}},
		"version":   {schema.Version, []string{"v1.35.7+rke2r1", "v1.36.3-rc1+rke2r2"}, []string{"", "1.35.7+rke2r1", "v1.35+rke2r1", "v1.35.7", "v1.35.7+k3s1", "v1.35.7+rke2", "v1.35.7+rke2r1 ", "latest", "v01.35.7+rke2r1"}},
		"dns label": {schema.DNSLabel, []string{"cx", "cx-1"}, []string{"", "CX", "c.x", "-", long}},
		"node":      {schema.NodeName, []string{"w1", "w1.cx.internal"}, []string{"", "W1", "localhost", "localhost.localdomain", "w_1", "w1-"}},
		"key":       {schema.LabelKey, []string{"tier", "cx.example/tier", "A_b.C"}, []string{"", "/tier", "cx.example/", "a/b/c", "Cx/tier", "-a", long}},
		"value":     {schema.LabelValue, []string{"", "app", "A-1_b.c"}, []string{"not good", "-a", "a-", long}},
		"token":     {schema.Token, []string{"0123456789abcdef"}, []string{"", "short", "K10abcdef::server:0123456789", "0123456789 abcdef", "0123456789abcdef\n", "0123456789abcdé0"}},
		"user":      {schema.UserName, []string{"root", "ops", "ops-1"}, []string{"", "o ps", "1ops", "a;b"}},
		"module":    {schema.Module, []string{"br_netfilter", "ip_vs"}, []string{"", "a b", "a.ko"}},
		"sysctl":    {schema.SysctlName, []string{"vm.max_map_count", "net.ipv4.conf.all.forwarding", "net.ipv4.conf.eth0/1.rp_filter"}, []string{"", "swappiness", "vm.", "vm.a b", "vm.a=1"}},
		"yaml name": {schema.YAMLName, []string{"a.yaml", "50-x.y.yaml"}, []string{"", "a.yml", ".yaml", "../a.yaml", "a b.yaml"}},
		"owner":     {schema.Owner, []string{"root:root", "0:0"}, []string{"", "root", "root:", ":root", "a b:c", "a:b:c"}},
		"mode":      {schema.Mode, []string{"0644", "600", "1777"}, []string{"", "rw", "0888", "06440", "u=rw"}},
		"path":      {schema.AbsolutePath, []string{"/etc/motd", "/srv"}, []string{"", "etc", "/", "/etc/", "/etc/../x", "//x", "/a\nb"}},
		"recipient": {schema.Recipient, []string{"age1qqqqqqqqqqqq", "ssh-ed25519 AAAAC3Nz ops@cx", "ssh-rsa AAAAB3Nz"}, []string{"", "age1", "AGE-SECRET-KEY-1QQQ", "ssh-dss AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----"}},
		"port":      {schema.Port, []string{"1", "22", "65535"}, []string{"", "0", "65536", "22.5", "-1", "ssh"}},
		"cni":       {schema.CNI, []string{"canal", "none", "multus,canal"}, []string{"", "cannal", "canal,multus", "multus"}},
		"effect":    {schema.TaintEffect, []string{"NoSchedule", "NoExecute"}, []string{"", "noschedule"}},
		"pool": {schema.PoolRange, []string{"10.10.1.50", "10.10.1.50/32", "10.10.1.48/28", "10.10.1.50-10.10.1.59", "10.0.0.1 - 10.0.0.1", "2001:db8::1-2001:db8::ff"},
			[]string{"", "x", "10.10.1.50/24", "10.10.1.0/33", "10.10.1.9-10.10.1.1", "10.10.1.1-2001:db8::1", "10.10.1.50-59", "10.10.1.1-", "0.0.0.0/0", "127.0.0.1", "224.0.0.0/4", "fe80::1%eth0", "::ffff:10.0.0.1", "10.0.0.1-10.0.0.2-10.0.0.3"}},
		"single": {schema.SingleAddress, []string{"10.10.1.50", "2001:db8::1"}, []string{"", "vip", "10.10.1.50/32", "10.10.1.50-10.10.1.51", "127.0.0.1"}},
		"chart": {schema.Chart, []string{"cx", "ingress-nginx", "oci://registry.cx.internal/charts/cx", "oci://127.0.0.1:5000/cx", "oci://[::1]:5000/a/b/c-d", "./charts/cx", "../cx.tgz", "/srv/cx", "~/cx", "."},
			[]string{"", "-cx", "charts/cx", "oci://", "oci://registry.cx.internal", "oci://registry.cx.internal/CX", "oci://registry.cx.internal/cx:1.0.0", "oci://r/cx@sha256:00", "oci://u:p@r/cx", "https://x/cx.tgz", "./a\nb", "c x"}},
		"repository":    {schema.Repository, []string{"https://charts.cx.internal", "http://127.0.0.1:8080/charts/"}, []string{"", "charts.cx.internal", "oci://r/charts", "https://u:p@r/", "file:///srv", "https://", "https://r/?a=b"}},
		"chart version": {schema.ChartVersion, []string{"1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2.3+build", "1", "5.0"}, []string{"", "1.x", "1.2.x", "^1.2", "~1.2.3", ">=1.2.3", "*", "latest", "1.2.3 || 2.0.0", "01.2.3", "1.2.3 - 1.3.0"}},
		"digest":        {schema.ChartDigest, []string{"sha256:" + strings.Repeat("0a", 32)}, []string{"", "sha256:", strings.Repeat("0a", 32), "sha256:" + strings.Repeat("0A", 32), "sha512:" + strings.Repeat("0a", 32)}},
		"release":       {schema.ReleaseName, []string{"cx", "cx-1"}, []string{"", "CX", "c.x", "c_x", strings.Repeat("a", 54)}},
		"namespace":     {schema.Namespace, []string{"kube-system"}, []string{"", "Kube", "a.b", long}},
		"object":        {schema.ObjectName, []string{"first-pool", "a.b"}, []string{"", "First", "a_b", ".a", strings.Repeat("a.", 130)}},
		"timeout":       {schema.Timeout, []string{"1s", "90s", "5m", "24h"}, []string{"", "5", "0s", "-1m", "500ms", "25h", "soon"}},
		"hold time":     {schema.HoldTime, []string{"0s", "3s", "90s"}, []string{"", "1s", "2.5s", "90", "20h"}},
		"asn":           {schema.ASN, []string{"1", "4294967295"}, []string{"", "0", "4294967296", "1.5", "-1"}},
		"community":     {schema.Community, []string{"65535:65281", "large:1:2:3", "no-export"}, []string{"", "1", "1:2:3", "large:1:2", "no export"}},
		"interface":     {schema.InterfaceName, []string{"eth0", "bond0.100", "enp1s0f0"}, []string{"", "eth0:1", "a/b", "averylonginterfacename"}},
		"local file":    {schema.LocalFile, []string{"a.yaml", "dir", "../x/*.yaml", "~/x"}, []string{"", "https://x/a.yaml", "a\nb"}},
		"mount option":  {schema.MountOption, []string{"hard", "nfsvers=4.1"}, []string{"", "hard,nfsvers=4.1", "a b"}},
		"export":        {schema.Export, []string{"/export/cx"}, []string{"", "export", "/", "/export/"}},
		"one line":      {schema.OneLine, []string{"1", "4096 87380"}, []string{"", " ", "a\nb"}},
	} {
		for _, s := range c.good {
			if problem := c.rule.Check(s); problem != "" {
				t.Errorf("%s: %q: %s", name, s, problem)
			}
		}
		for _, s := range c.bad {
			problem := c.rule.Check(s)
			if problem == "" {
				t.Errorf("%s: %q was accepted", name, s)
			} else if !strings.ContainsAny(problem[len(problem)-1:], ".?:)") {
				t.Errorf("%s: %q: no sentence: %s", name, s, problem)
			}
		}
	}
}
