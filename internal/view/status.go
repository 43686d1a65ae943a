package view

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/providers/kube"
)

// ProbeQuietly is Probe for commands whose JSON is one document: hosts are not told one by one in it.
func (p *Printer) ProbeQuietly(e engine.Event) {
	if !p.o.JSON {
		p.Probe(e)
	}
}

// Status prints the cluster's nodes, and what is not as it should be.
func (p *Printer) Status(s *kube.Status) error {
	p.clear()
	if p.o.JSON {
		p.json(s)
		return p.writes
	}
	p.printf("cluster %s\n", s.Cluster)
	if s.Reason != "" {
		p.printf("%s\n", p.out.red("The API cannot be asked: "+s.Reason))
		return p.writes
	}
	p.printf("\n")
	p.nodes(s.Nodes)
	p.printf("\n")
	for _, n := range s.Missing {
		p.printf("%s node %s of the blueprint is not registered\n", p.out.red("missing:"), n)
	}
	for _, n := range s.Unexpected {
		p.printf("%s node %s is not in the blueprint\n", p.out.yellow("unexpected:"), n)
	}
	p.controlPlanePods(s)
	if !s.ControlPlaneSchedulable {
		for _, service := range s.ControlPlaneEndpoints {
			p.printf("%s service %s has an endpoint on the control plane, which would swallow its traffic while that node is lost\n", p.out.red("endpoint:"), service)
		}
	}
	if s.LastSnapshot == nil {
		p.printf("last snapshot: none\n")
	} else {
		p.printf("last snapshot: %s ago (%s)\n", age(s.LastSnapshot.AgeSeconds), s.LastSnapshot.Name)
	}
	return p.writes
}

func (p *Printer) nodes(nodes []kube.NodeStatus) {
	w := tabwriter.NewWriter(p.o.Stdout, 0, 0, 2, ' ', 0)
	rows := [][]string{{"NAME", "STATUS", "ROLES", "AGE", "VERSION", "ADDRESS", "ZONE", "TAINTS"}}
	for _, n := range nodes {
		roles := strings.Join(n.Roles, ",")
		if roles == "" {
			roles = "<none>"
		}
		rows = append(rows, []string{n.Name, n.Status, roles, age(n.AgeSeconds), n.Version, n.InternalIP, n.Zone, strings.Join(n.Taints, " ")})
	}
	for _, r := range rows {
		_, err := fmt.Fprintln(w, strings.TrimRight(strings.Join(r, "\t"), "\t"))
		p.keep(err)
	}
	p.keep(w.Flush())
}

func (p *Printer) controlPlanePods(s *kube.Status) {
	if s.ControlPlaneSchedulable {
		return
	}
	for _, pod := range s.ControlPlanePods {
		why := "evictable"
		if pod.Tolerates {
			why = "it tolerates the taint; pin it to workers, or its Service loses this endpoint only when the control plane is back"
		}
		p.printf("%s pod %s/%s runs on the control plane: %s\n", p.out.yellow("note:"), pod.Namespace, pod.Name, why)
	}
}

// age writes seconds as kubectl does: 45s, 12m, 3h, 5d.
func age(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", seconds)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}
