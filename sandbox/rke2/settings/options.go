package settings

// kind is the type of an option's value.
type kind int

const (
	text kind = iota
	number
	truth
	duration
	list
)

// Role is what a host is: the subcommand with which its daemon runs.
type Role string

// The two roles.
const (
	Server Role = "server"
	Agent  Role = "agent"
)

// optionsOf returns the options that a role knows: the keys of config.yaml and, with two dashes, the flags (domain.md §2.5, §7).
func optionsOf(role Role) map[string]kind {
	options := nodeOptions()
	if role == Server {
		for name, k := range serverOptions() {
			options[name] = k
		}
	}
	return options
}

// effective are the options that do something in the stand-in.
func effective() []string {
	return []string{
		"config", "data-dir", "token", "token-file", "agent-token", "agent-token-file", "server", "cluster-reset",
		"node-name", "with-node-id", "node-label", "node-taint", "node-ip", "node-external-ip",
		"tls-san", "cluster-cidr", "service-cidr", "service-node-port-range", "cluster-dns", "cni", "ingress-controller", "disable",
		"write-kubeconfig", "write-kubeconfig-mode",
		"kube-apiserver-arg", "kube-controller-manager-arg", "kube-scheduler-arg", "etcd-arg",
	}
}

// nodeOptions are those of servers and agents.
func nodeOptions() map[string]kind {
	return map[string]kind{
		"config": text, "debug": truth, "data-dir": text,
		"token": text, "token-file": text, "server": text,
		"node-name": text, "with-node-id": truth, "node-label": list, "node-taint": list,
		"node-ip": list, "node-external-ip": list, "node-internal-dns": list, "node-external-dns": list,
		"resolv-conf": text, "lb-server-port": number, "bind-address": text,
		"kubelet-arg": list, "kube-proxy-arg": list, "protect-kernel-defaults": truth, "selinux": truth,
		"container-runtime-endpoint": text, "snapshotter": text, "default-runtime": text, "pause-image": text,
		"private-registry": text, "system-default-registry": text, "disable-default-registry-endpoint": truth,
		"airgap-extra-registry": list, "nonroot-devices": truth, "embedded-registry": truth,
		"image-credential-provider-bin-dir": text, "image-credential-provider-config": text,
		"cloud-provider-name": text, "cloud-provider-config": text, "profile": text, "prime": truth,
		"audit-policy-file": text, "pod-security-admission-config-file": text,
		"control-plane-resource-requests": list, "control-plane-resource-limits": list, "control-plane-probe-configuration": list,
		"kube-proxy-extra-mount": list, "kube-proxy-extra-env": list,
		"kube-apiserver-image": text, "kube-controller-manager-image": text, "kube-scheduler-image": text, "etcd-image": text,
		"kube-proxy-image": text, "runtime-image": text, "cloud-controller-manager-image": text,
		"vpn-auth": text, "vpn-auth-file": text, "enable-pprof": truth, "supervisor-metrics": truth,
	}
}

// serverOptions are those that only servers have.
func serverOptions() map[string]kind {
	return map[string]kind{
		"advertise-address": text, "tls-san": list, "tls-san-security": truth,
		"cluster-cidr": list, "service-cidr": list, "service-node-port-range": text, "cluster-dns": list, "cluster-domain": text,
		"egress-selector-mode": text, "cni": list, "ingress-controller": list, "enable-servicelb": truth, "servicelb-namespace": text,
		"write-kubeconfig": text, "write-kubeconfig-mode": text, "write-kubeconfig-group": text, "helm-job-image": text,
		"agent-token": text, "agent-token-file": text, "cluster-reset": truth, "cluster-reset-restore-path": text,
		"kube-apiserver-arg": list, "kube-controller-manager-arg": list, "kube-scheduler-arg": list, "etcd-arg": list,
		"kube-cloud-controller-manager-arg": list,
		"kube-apiserver-extra-mount":        list, "kube-controller-manager-extra-mount": list, "kube-scheduler-extra-mount": list,
		"etcd-extra-mount": list, "cloud-controller-manager-extra-mount": list,
		"kube-apiserver-extra-env": list, "kube-controller-manager-extra-env": list, "kube-scheduler-extra-env": list,
		"etcd-extra-env": list, "cloud-controller-manager-extra-env": list,
		"etcd-expose-metrics": truth, "etcd-disable-snapshots": truth, "etcd-snapshot-name": text,
		"etcd-snapshot-schedule-cron": text, "etcd-snapshot-retention": number, "etcd-snapshot-dir": text,
		"etcd-snapshot-compress": truth, "etcd-snapshot-reconcile-interval": duration,
		"etcd-s3": truth, "etcd-s3-endpoint": text, "etcd-s3-endpoint-ca": text, "etcd-s3-skip-ssl-verify": truth,
		"etcd-s3-access-key": text, "etcd-s3-secret-key": text, "etcd-s3-session-token": text, "etcd-s3-bucket": text,
		"etcd-s3-bucket-lookup-type": text, "etcd-s3-region": text, "etcd-s3-folder": text, "etcd-s3-proxy": text,
		"etcd-s3-config-secret": text, "etcd-s3-insecure": truth, "etcd-s3-timeout": duration, "etcd-s3-retention": number,
		"disable": list, "disable-scheduler": truth, "disable-cloud-controller": truth, "disable-kube-proxy": truth,
		"disable-apiserver": truth, "disable-controller-manager": truth, "disable-etcd": truth,
		"secrets-encryption-provider": text, "datastore-endpoint": text, "datastore-cafile": text, "datastore-certfile": text,
		"datastore-keyfile": text, "kine-tls": truth,
	}
}
