package rke2options

// server is an option that servers have, or that only servers make use of; node is one of both roles.
func server(k Kind, since ...string) option { return option{kind: k, since: since} }
func node(k Kind, since ...string) option   { return option{kind: k, both: true, since: since} }

// all are the options by name.
var all = map[string]option{
	// Every command's.
	"config": node(Text), "debug": node(Bool), "data-dir": node(Text),
	"v": node(Number), "vmodule": node(Text), "log": node(Text), "alsologtostderr": node(Bool), "enable-pprof": node(Bool),

	// How nodes find each other.
	"token": node(Text), "token-file": node(Text), "server": node(Text),
	"agent-token": server(Text), "agent-token-file": server(Text),
	"cluster-reset": server(Bool), "cluster-reset-restore-path": server(Text),

	// The node.
	"node-name": node(Text), "with-node-id": node(Bool), "node-label": node(List), "node-taint": node(List),
	"node-ip": node(List), "node-external-ip": node(List),
	"node-internal-dns":                      node(List, "v1.29.13+rke2r1", "v1.30.9+rke2r1", "v1.31.5+rke2r1", "v1.32.0+rke2r1"),
	"node-external-dns":                      node(List, "v1.29.13+rke2r1", "v1.30.9+rke2r1", "v1.31.5+rke2r1", "v1.32.0+rke2r1"),
	"node-name-from-cloud-provider-metadata": node(Bool, "v1.29.11+rke2r1", "v1.30.7+rke2r1", "v1.31.3+rke2r1", "v1.32.0+rke2r1"), "kubelet-path": node(Text),
	"resolv-conf": node(Text), "lb-server-port": node(Number), "bind-address": node(Text),
	"kubelet-arg": node(List), "kube-proxy-arg": node(List), "protect-kernel-defaults": node(Bool), "selinux": node(Bool),
	"cloud-provider-name": node(Text), "cloud-provider-config": node(Text), "profile": node(Text),
	"image-credential-provider-bin-dir": node(Text), "image-credential-provider-config": node(Text),
	"container-runtime-endpoint": node(Text), "snapshotter": node(Text), "default-runtime": node(Text),
	"private-registry": node(Text), "system-default-registry": node(Text), "airgap-extra-registry": node(List),
	"disable-default-registry-endpoint": node(Bool),
	"nonroot-devices":                   node(Bool, "v1.29.11+rke2r1", "v1.30.7+rke2r1", "v1.31.3+rke2r1", "v1.32.0+rke2r1"),
	"kube-proxy-extra-mount":            node(List), "kube-proxy-extra-env": node(List),
	"kube-proxy-image": node(Text), "pause-image": node(Text), "runtime-image": node(Text),

	// What all nodes take and only servers use.
	"kube-apiserver-image": server(Text), "kube-controller-manager-image": server(Text), "kube-scheduler-image": server(Text),
	"cloud-controller-manager-image": server(Text), "etcd-image": server(Text),
	"audit-policy-file": server(Text), "pod-security-admission-config-file": server(Text),
	"control-plane-resource-requests": server(List), "control-plane-resource-limits": server(List), "control-plane-probe-configuration": server(List),
	"kube-apiserver-extra-mount": server(List), "kube-apiserver-extra-env": server(List),
	"kube-controller-manager-extra-mount": server(List), "kube-controller-manager-extra-env": server(List),
	"kube-scheduler-extra-mount": server(List), "kube-scheduler-extra-env": server(List),
	"cloud-controller-manager-extra-mount": server(List), "cloud-controller-manager-extra-env": server(List),
	"etcd-extra-mount": server(List), "etcd-extra-env": server(List),

	// The API and its clients.
	"advertise-address": server(Text), "tls-san": server(List), "tls-san-security": server(Bool),
	"write-kubeconfig": server(Text), "write-kubeconfig-mode": server(Text), "write-kubeconfig-group": server(Text, "v1.28.11+rke2r1", "v1.29.6+rke2r1", "v1.30.2+rke2r1", "v1.31.0+rke2r1"),
	"kube-apiserver-arg": server(List), "kube-controller-manager-arg": server(List), "kube-scheduler-arg": server(List),
	"kube-cloud-controller-manager-arg": server(List), "etcd-arg": server(List),
	"supervisor-metrics": server(Bool, "v1.28.11+rke2r1", "v1.29.6+rke2r1", "v1.30.2+rke2r1", "v1.31.0+rke2r1"),
	"secrets-encryption": server(Bool), "secrets-encryption-provider": server(Text, "v1.30.12+rke2r1", "v1.31.8+rke2r1", "v1.32.4+rke2r1", "v1.33.0+rke2r1"),

	// The network.
	"cluster-cidr": server(List), "service-cidr": server(List), "service-node-port-range": server(Text), "cluster-dns": server(List), "cluster-domain": server(Text),
	"egress-selector-mode": server(Text), "cni": server(List),
	"ingress-controller": server(List, "v1.31.8+rke2r1", "v1.32.4+rke2r1", "v1.33.0+rke2r1"),
	"enable-servicelb":   server(Bool), "servicelb-namespace": server(Text),

	// Components.
	"disable": server(List), "disable-scheduler": server(Bool), "disable-cloud-controller": server(Bool), "disable-kube-proxy": server(Bool),
	"disable-apiserver": server(Bool), "disable-controller-manager": server(Bool), "disable-etcd": server(Bool), "disable-agent": server(Bool),
	"embedded-registry": server(Bool, "v1.28.6+rke2r1", "v1.29.1+rke2r1", "v1.30.0+rke2r1"), "helm-job-image": server(Text),
	"helm-controller-arg": server(List, "v1.33.13+rke2r2", "v1.34.10+rke2r1", "v1.35.7+rke2r1", "v1.36.3+rke2r1"),
	"prime":               server(Bool, "v1.32.13+rke2r2", "v1.33.10+rke2r1", "v1.34.6+rke2r1", "v1.35.3+rke2r1", "v1.36.0+rke2r1"),
	"datastore-endpoint":  server(Text), "datastore-cafile": server(Text), "datastore-certfile": server(Text), "datastore-keyfile": server(Text),

	// Snapshots.
	"etcd-expose-metrics": server(Bool), "etcd-disable-snapshots": server(Bool), "etcd-snapshot-name": server(Text), "etcd-snapshot-dir": server(Text),
	"etcd-snapshot-schedule-cron": server(Text), "etcd-snapshot-retention": server(Number), "etcd-snapshot-compress": server(Bool),
	"etcd-snapshot-reconcile-interval": server(Duration, "v1.29.15+rke2r1", "v1.30.11+rke2r1", "v1.31.7+rke2r1", "v1.32.3+rke2r1", "v1.33.0+rke2r1"),
	"etcd-s3":                          server(Bool), "etcd-s3-endpoint": server(Text), "etcd-s3-endpoint-ca": server(Text), "etcd-s3-skip-ssl-verify": server(Bool),
	"etcd-s3-access-key": server(Text), "etcd-s3-secret-key": server(Text), "etcd-s3-bucket": server(Text), "etcd-s3-region": server(Text), "etcd-s3-folder": server(Text),
	"etcd-s3-proxy":         server(Text, "v1.28.12+rke2r1", "v1.29.7+rke2r1", "v1.30.3+rke2r1", "v1.31.0+rke2r1"),
	"etcd-s3-config-secret": server(Text, "v1.28.12+rke2r1", "v1.29.7+rke2r1", "v1.30.3+rke2r1", "v1.31.0+rke2r1"),
	"etcd-s3-insecure":      server(Bool), "etcd-s3-timeout": server(Duration),
	"etcd-s3-session-token":      server(Text, "v1.29.14+rke2r1", "v1.30.10+rke2r1", "v1.31.6+rke2r1", "v1.32.2+rke2r1", "v1.33.0+rke2r1"),
	"etcd-s3-bucket-lookup-type": server(Text, "v1.30.13+rke2r1", "v1.31.9+rke2r1", "v1.32.5+rke2r1", "v1.33.1+rke2r1"),
	"etcd-s3-retention":          server(Number, "v1.31.12+rke2r1", "v1.32.8+rke2r1", "v1.33.4+rke2r1"),
}
