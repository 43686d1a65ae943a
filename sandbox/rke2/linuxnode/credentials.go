//go:build linux

package linuxnode

import (
	"os"
	"path/filepath"

	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/rke2"
	"github.com/expertflow/cxha/sandbox/rke2/linuxhost"
)

// writeCredentials writes the authorities, keys and kubeconfigs of the node under RKE2's names.
func (n *node) writeCredentials() error {
	files := map[string][]byte{"server-ca.crt": n.Access.ServerCA, "client-ca.crt": n.Access.ClientCA}
	for name, pair := range map[string]rke2.KeyPair{
		"client-kubelet": n.Access.Kubelet, "serving-kubelet": n.Access.Serving,
		"client-kube-proxy": n.Access.Proxy, "client-rke2-controller": n.Access.Controller,
	} {
		files[name+".crt"], files[name+".key"] = pair.CertPEM, pair.KeyPEM
	}
	for name, pair := range map[string]rke2.KeyPair{
		"kubelet": n.Access.Kubelet, "kubeproxy": n.Access.Proxy, "rke2controller": n.Access.Controller,
	} {
		kubeconfig, err := controlplane.Kubeconfig{
			Server: "https://" + n.Access.APIServer, CA: n.Access.ServerCA, CertPEM: pair.CertPEM, KeyPEM: pair.KeyPEM,
		}.Encode()
		if err != nil {
			return err
		}
		files[name+".kubeconfig"] = kubeconfig
	}
	for name, data := range files {
		if err := n.write(n.path(name), data); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file that only root may read, and makes its directory.
func (n *node) write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return linuxhost.Files{}.WriteFile(name, data, 0o600)
}
