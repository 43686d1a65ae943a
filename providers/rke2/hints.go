package rke2

import "strings"

// hint says what a message of RKE2 means and what to do about it.
type hint struct {
	message string // a part of the message, literally
	lasting bool   // RKE2 tries again, but without help it will not get further
	text    string
}

// hints are in order: the first one found in a line counts (domain.md §2.8, §2.12, §2.13, §2.7).
var hints = []hint{
	{"bootstrap data already found and encrypted with different token", true,
		"the server token is not the one that this cluster's data is encrypted with: give the cluster's own token"},
	{"token CA hash does not match the Cluster CA certificate hash", true,
		"the token belongs to another cluster, or the control plane was set up anew: give the token of the cluster that answers at the endpoint"},
	{"Node password rejected", true,
		"the cluster knows another machine by this node's name: if that machine is gone, delete its Node object and the secret NAME.node-password.rke2 in kube-system, then apply again"},
	{"not a member of the etcd cluster", true,
		"the control plane's address is another than etcd's member has: run a cluster reset on the control plane"},
	{"cannot perform cluster-reset while server URL is set", true,
		"the option server stands in a configuration file of this host: a control plane must not have it"},
	{"failed to normalize token", true, tokenHint},
	{"invalid token format", true, tokenHint},
	{"401 Unauthorized", true, tokenHint},
	{"not authorized", true, tokenHint},
	{"Unauthorized", true, tokenHint},
	{"no default routes found", true,
		"RKE2 needs a default route on the host, even one that leads nowhere: add one"},
	{"certificate has expired or is not yet valid", true,
		"compare the clocks of the host and the control plane: a certificate is not valid at this host's time"},
	{"address already in use", true,
		"another process of the host has a port that RKE2 needs: find it with `ss -ltnp` and stop it"},
	{"no such host", true,
		"a name is not known on the host: look at the endpoint's line in /etc/hosts"},
	{"connection refused", false, "the control plane does not answer at the endpoint"},
	{"no route to host", false, "the control plane cannot be reached from the host"},
}

const tokenHint = "the control plane does not accept the token in " + agentTokenFile + ": it must be the agents' token of this cluster"

func findHint(line string) (hint, bool) {
	for _, h := range hints {
		if strings.Contains(line, h.message) {
			return h, true
		}
	}
	return hint{}, false
}
