//go:build linux

package lab

import (
	"bufio"
	"compress/gzip"
	"errors"
	"os"
	"slices"
	"strings"
)

// moduleOptions are the kernel modules that RKE2 and cxha ask for, with the option that builds each and its path as
// modules.builtin has it: the kernel does not tell which modules it was built with.
var moduleOptions = map[string]string{
	"BRIDGE":                       "kernel/net/bridge/bridge.ko",
	"BRIDGE_NETFILTER":             "kernel/net/bridge/br_netfilter.ko",
	"IP_NF_FILTER":                 "kernel/net/ipv4/netfilter/iptable_filter.ko",
	"IP_NF_IPTABLES":               "kernel/net/ipv4/netfilter/ip_tables.ko",
	"IP_NF_NAT":                    "kernel/net/ipv4/netfilter/iptable_nat.ko",
	"IP_SET":                       "kernel/net/netfilter/ipset/ip_set.ko",
	"IP_VS":                        "kernel/net/netfilter/ipvs/ip_vs.ko",
	"NETFILTER_XT_MATCH_ADDRTYPE":  "kernel/net/netfilter/xt_addrtype.ko",
	"NETFILTER_XT_MATCH_COMMENT":   "kernel/net/netfilter/xt_comment.ko",
	"NETFILTER_XT_MATCH_CONNTRACK": "kernel/net/netfilter/xt_conntrack.ko",
	"NETFILTER_XT_MATCH_MULTIPORT": "kernel/net/netfilter/xt_multiport.ko",
	"NETFILTER_XT_MATCH_STATISTIC": "kernel/net/netfilter/xt_statistic.ko",
	"NETFILTER_XT_TARGET_REDIRECT": "kernel/net/netfilter/xt_REDIRECT.ko",
	"NF_CONNTRACK":                 "kernel/net/netfilter/nf_conntrack.ko",
	"NF_NAT":                       "kernel/net/netfilter/nf_nat.ko",
	"NF_TABLES":                    "kernel/net/netfilter/nf_tables.ko",
	"NFS_FS":                       "kernel/fs/nfs/nfs.ko",
	"OVERLAY_FS":                   "kernel/fs/overlayfs/overlay.ko",
	"TUN":                          "kernel/drivers/net/tun.ko",
	"VETH":                         "kernel/drivers/net/veth.ko",
	"VXLAN":                        "kernel/drivers/net/vxlan/vxlan.ko",
	"WIREGUARD":                    "kernel/drivers/net/wireguard/wireguard.ko",
}

// kernelConfig is the configuration of the kernel that runs, line by line; none where the kernel does not tell it.
func kernelConfig() (lines []string, err error) {
	f, err := os.Open("/proc/config.gz")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	scan := bufio.NewScanner(text)
	for scan.Scan() {
		lines = append(lines, scan.Text())
	}
	return lines, scan.Err()
}

// builtinModules are the paths of the known modules that the kernel has built in, sorted.
func builtinModules(config []string) []string {
	var paths []string
	for _, line := range config {
		option, value, _ := strings.Cut(strings.TrimPrefix(line, "CONFIG_"), "=")
		if path, known := moduleOptions[option]; known && value == "y" {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}
