package controlplane

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// issueCertificates keeps the leaf certificates of the components and the kubeconfigs of the controllers up to date.
func (c *ControlPlane) issueCertificates() error {
	loopback := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	serving, err := c.servingLeaf(loopback)
	if err != nil {
		return err
	}
	for _, certificate := range []struct {
		authority *Authority
		name      string
		leaf      Leaf
	}{
		{c.PKI.ServerCA, "serving-kube-apiserver", serving},
		{c.PKI.ClientCA, "client-admin", Leaf{CommonName: "system:admin", Organizations: []string{"system:masters"}}},
		{c.PKI.ClientCA, "client-controller", Leaf{CommonName: "system:kube-controller-manager"}},
		{c.PKI.ClientCA, "client-kube-apiserver", Leaf{CommonName: "system:apiserver", Organizations: []string{"system:masters"}}},
		{c.PKI.ClientCA, "client-scheduler", Leaf{CommonName: "system:kube-scheduler"}},
		{c.PKI.EtcdCA, "etcd/server-client", Leaf{
			CommonName: "etcd-server", DNSNames: []string{"localhost"}, IPs: append(loopback, net.IP(c.options.NodeIP.AsSlice())),
		}},
		{c.PKI.EtcdCA, "etcd/client", Leaf{CommonName: "etcd-client"}},
	} {
		if err := c.PKI.Ensure(certificate.authority, certificate.name, certificate.leaf); err != nil {
			return err
		}
	}
	for name, client := range map[string]string{"controller": "client-controller", "scheduler": "client-scheduler"} {
		if err := c.writeKubeconfig(c.kubeconfigFile(name), client); err != nil {
			return err
		}
	}
	return nil
}

// servingLeaf covers every name under which the API server and the supervisor are called.
func (c *ControlPlane) servingLeaf(addresses []net.IP) (Leaf, error) {
	service, err := firstAddress(c.options.ServiceCIDR)
	if err != nil {
		return Leaf{}, err
	}
	leaf := Leaf{
		CommonName: "kube-apiserver",
		DNSNames: []string{
			"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			c.options.NodeName,
		},
		IPs: append(addresses, net.IP(c.options.NodeIP.AsSlice()), net.IP(service.AsSlice())),
	}
	for _, name := range c.options.ServingNames {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPs = append(leaf.IPs, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	return leaf, nil
}

// firstAddress is the cluster IP of the service "kubernetes".
func firstAddress(services netip.Prefix) (netip.Addr, error) {
	first := services.Masked().Addr().Next()
	if !services.Contains(first) {
		return first, fmt.Errorf("service range %s is too small", services)
	}
	return first, nil
}

func (c *ControlPlane) kubeconfigFile(name string) string {
	return filepath.Join(c.options.Dir, "cred", name+".kubeconfig")
}

func (c *ControlPlane) writeKubeconfig(file, client string) error {
	certPEM, err := os.ReadFile(c.PKI.Path(client + ".crt"))
	if err != nil {
		return err
	}
	keyPEM, err := os.ReadFile(c.PKI.Path(client + ".key"))
	if err != nil {
		return err
	}
	encoded, err := Kubeconfig{Server: "https://" + c.Address(), CA: c.PKI.ServerCA.CertPEM, CertPEM: certPEM, KeyPEM: keyPEM}.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return writeFile(file, encoded, 0o600)
}

func (c *ControlPlane) etcdURL() string {
	return fmt.Sprintf("https://127.0.0.1:%d", c.Ports.EtcdClient)
}

func (c *ControlPlane) etcdDefaults() map[string]string {
	peer := netip.AddrPortFrom(c.options.NodeIP, 2380)
	arguments := map[string]string{
		"data-dir":                    filepath.Join(c.options.Dir, "db", "etcd"),
		"name":                        c.options.NodeName,
		"listen-client-urls":          c.etcdURL(),
		"advertise-client-urls":       c.etcdURL(),
		"listen-peer-urls":            fmt.Sprintf("http://127.0.0.1:%d", c.Ports.EtcdPeer),
		"initial-advertise-peer-urls": fmt.Sprintf("http://%s", peer),
		"cert-file":                   c.PKI.Path("etcd/server-client.crt"),
		"key-file":                    c.PKI.Path("etcd/server-client.key"),
		"trusted-ca-file":             c.PKI.Path("etcd/server-ca.crt"),
	}
	if !c.options.Direct {
		return arguments
	}
	client := fmt.Sprintf("https://%s", netip.AddrPortFrom(c.options.NodeIP, uint16(c.Ports.EtcdClient)))
	maps.Copy(arguments, map[string]string{
		"listen-client-urls":          c.etcdURL() + "," + client,
		"advertise-client-urls":       client,
		"listen-peer-urls":            fmt.Sprintf("https://127.0.0.1:%d,https://%s", c.Ports.EtcdPeer, peer),
		"initial-advertise-peer-urls": fmt.Sprintf("https://%s", peer),
		"listen-metrics-urls":         "http://127.0.0.1:2381",
		// RKE2 has an authority of its own for peers; with one member there is nobody to tell apart.
		"peer-cert-file":       c.PKI.Path("etcd/server-client.crt"),
		"peer-key-file":        c.PKI.Path("etcd/server-client.key"),
		"peer-trusted-ca-file": c.PKI.Path("etcd/server-ca.crt"),
	})
	return arguments
}

func (c *ControlPlane) apiServerDefaults() map[string]string {
	arguments := map[string]string{
		"advertise-address":                c.options.NodeIP.String(),
		"allow-privileged":                 "true",
		"anonymous-auth":                   "false",
		"api-audiences":                    "https://kubernetes.default.svc.cluster.local,rke2",
		"authorization-mode":               "Node,RBAC",
		"bind-address":                     "127.0.0.1",
		"client-ca-file":                   c.PKI.Path("client-ca.crt"),
		"enable-admission-plugins":         "NodeRestriction",
		"etcd-cafile":                      c.PKI.Path("etcd/server-ca.crt"),
		"etcd-certfile":                    c.PKI.Path("etcd/client.crt"),
		"etcd-keyfile":                     c.PKI.Path("etcd/client.key"),
		"etcd-servers":                     c.etcdURL(),
		"profiling":                        "false",
		"secure-port":                      fmt.Sprint(c.Ports.APIServer),
		"service-account-issuer":           "https://kubernetes.default.svc.cluster.local",
		"service-account-key-file":         c.PKI.Path("service.key"),
		"service-account-signing-key-file": c.PKI.Path("service.key"),
		"service-cluster-ip-range":         c.options.ServiceCIDR.String(),
		"tls-cert-file":                    c.PKI.Path("serving-kube-apiserver.crt"),
		"tls-private-key-file":             c.PKI.Path("serving-kube-apiserver.key"),
	}
	if c.egress != nil {
		arguments["egress-selector-config-file"] = c.egressFile()
	}
	if c.options.Direct {
		maps.Copy(arguments, map[string]string{
			"bind-address":                    "0.0.0.0",
			"kubelet-certificate-authority":   c.PKI.Path("server-ca.crt"),
			"kubelet-client-certificate":      c.PKI.Path("client-kube-apiserver.crt"),
			"kubelet-client-key":              c.PKI.Path("client-kube-apiserver.key"),
			"kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
		})
	}
	return arguments
}

func (c *ControlPlane) controllerManagerDefaults() map[string]string {
	kubeconfig := c.kubeconfigFile("controller")
	return map[string]string{
		"allocate-node-cidrs":              "true",
		"bind-address":                     "127.0.0.1",
		"cluster-cidr":                     c.options.ClusterCIDR.String(),
		"cluster-signing-cert-file":        c.PKI.Path("client-ca.crt"),
		"cluster-signing-key-file":         c.PKI.Path("client-ca.key"),
		"configure-cloud-routes":           "false",
		"controllers":                      "*,tokencleaner",
		"kubeconfig":                       kubeconfig,
		"leader-elect":                     "false",
		"profiling":                        "false",
		"root-ca-file":                     c.PKI.Path("server-ca.crt"),
		"secure-port":                      c.statusPort(10257),
		"cert-dir":                         c.PKI.Path("kube-controller-manager"),
		"service-account-private-key-file": c.PKI.Path("service.key"),
		"service-cluster-ip-range":         c.options.ServiceCIDR.String(),
		"use-service-account-credentials":  "true",
	}
}

func (c *ControlPlane) schedulerDefaults() map[string]string {
	return map[string]string{
		"kubeconfig":   c.kubeconfigFile("scheduler"),
		"leader-elect": "false",
		"profiling":    "false",
		"bind-address": "127.0.0.1",
		"secure-port":  c.statusPort(10259),
		"cert-dir":     c.PKI.Path("kube-scheduler"),
	}
}

// statusPort is a component's own port for health and metrics: on the sandbox's computer nothing asks for it.
func (c *ControlPlane) statusPort(port int) string {
	if c.options.Direct {
		return strconv.Itoa(port)
	}
	return "0"
}

// unversioned is the configuration of a client that asks for paths outside of the API groups.
func unversioned(config *rest.Config) *rest.Config {
	config.NegotiatedSerializer = serializer.WithoutConversionCodecFactory{CodecFactory: scheme.Codecs}
	return config
}
