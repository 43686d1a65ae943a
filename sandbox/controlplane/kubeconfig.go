package controlplane

import (
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig is what a kubeconfig with one cluster, one user and one context says. All material is PEM and embedded.
type Kubeconfig struct {
	Server  string // https URL
	CA      []byte
	CertPEM []byte
	KeyPEM  []byte
}

// Encode returns the kubeconfig as YAML, with RKE2's name "default" for everything.
func (k Kubeconfig) Encode() ([]byte, error) {
	const name = "default"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: k.Server, CertificateAuthorityData: k.CA}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: k.CertPEM, ClientKeyData: k.KeyPEM}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	return clientcmd.Write(*config)
}
