package blueprint

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// checkNetworks compares the ranges of pods and services with each other, the nodes and the sites: domain.md §2.7, "must be
// checked before install".
func (l *loader) checkNetworks() {
	pod, service := l.bp.Cluster.PodCIDR, l.bp.Cluster.ServiceCIDR
	if pod.IsValid() && service.IsValid() && pod.Overlaps(service) {
		at := "service_cidr"
		if !l.cluster.fields[at].given {
			at = "pod_cidr"
		}
		l.report(l.cluster.mistake(at, "Overlapping networks", "The pods' range %s and the services' range %s overlap. An address in both would mean a pod to one node and a service to another. Choose ranges that are apart; RKE2's own are 10.42.0.0/16 and 10.43.0.0/16.", pod, service))
	}
	l.checkRange("pod_cidr", "pods", pod)
	l.checkRange("service_cidr", "services", service)
	l.checkRoom(pod)
}

// checkRange reports everything that lies in a range as one mistake: the range is what has to change.
func (l *loader) checkRange(attr, whose string, p netip.Prefix) {
	if !p.IsValid() {
		return
	}
	var inside []string
	for _, s := range l.bp.Sites {
		for _, sub := range s.Subnets {
			if sub.Overlaps(p) {
				inside = append(inside, fmt.Sprintf("the network %s of %s", sub, s.Addr))
			}
		}
	}
	for _, n := range l.nodes {
		if n.Address.IsValid() && p.Contains(n.Address) {
			inside = append(inside, fmt.Sprintf("the address %s of %s", n.Address, n.Addr))
		}
	}
	if len(inside) == 0 {
		return
	}
	if more := len(inside) - 3; more > 0 {
		inside = append(inside[:3], fmt.Sprintf("%d more", more))
	}
	l.report(l.cluster.mistake(attr, "Overlapping networks", "The range %s of %s overlaps %s. Inside the cluster these addresses would mean %s, so the hosts could not be reached. Choose a range that no network of the sites uses: it cannot be changed once the cluster runs.", p, whose, strings.Join(inside, ", "), whose))
}

// nodeBits is the prefix length of the piece of the pods' range that each node takes: the default of the controller manager.
const nodeBits = 24

func (l *loader) checkRoom(pod netip.Prefix) {
	if !pod.IsValid() || !pod.Addr().Is4() {
		return
	}
	nodes := len(l.bp.Workers) + 1
	room := 0
	if pod.Bits() <= nodeBits {
		room = 1 << (nodeBits - pod.Bits())
	}
	if nodes > room {
		d := l.cluster.mistake("pod_cidr", "Pod range too small", "Unless the controller manager is told otherwise, every node takes a /%d of the pods' range, so %s has room for %d of the blueprint's %d nodes. A node without a range never becomes Ready. Choose a larger range: it cannot be changed once the cluster runs.", nodeBits, pod, room, nodes)
		d.Severity = hcl.DiagWarning // node-cidr-mask-size may be set, and not every CNI heeds it
		l.report(d)
	}
}

// checkPortRange warns of the hazard in domain.md §1.3: an outgoing connection can take a port that a service must listen on.
func (l *loader) checkPortRange() {
	settings := l.bp.Cluster.Sysctl
	lows := strings.Fields(settings["net.ipv4.ip_local_port_range"])
	if len(lows) == 0 || settings["net.ipv4.ip_local_reserved_ports"] != "" {
		return
	}
	const highestService = 32767
	if low, err := strconv.Atoi(lows[0]); err == nil && low <= highestService {
		l.report(warning(l.cluster.fields["sysctl"].at, "Outgoing ports overlap the cluster's", "net.ipv4.ip_local_port_range begins at %d. Outgoing connections can then take a port that a part of the cluster has to listen on after a restart (6443, 9345, 10250, NodePorts 30000-32767). Reserve them: \"net.ipv4.ip_local_reserved_ports\" = \"2379-2381,6443,9345,10250,30000-32767\".", low))
	}
}
