package kube_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// apiServer is a real etcd and kube-apiserver: components of the sandbox's binary, without controllers, so that a test
// decides what happens.
type apiServer struct {
	kubeconfig string
	client     *kubernetes.Clientset
	stop       func()
}

var shared struct {
	once   sync.Once
	server *apiServer
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.server.stop()
	}
	os.Exit(code)
}

// realAPI returns the package's one API server, emptied. Tests that use it do not run in parallel.
func realAPI(t *testing.T) *apiServer {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real API server: not with -short")
	}
	binary := os.Getenv("CXHA_SANDBOX")
	if binary == "" {
		binary, _ = filepath.Abs("../../bin/cxha-sandbox")
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skipf("needs a real API server from the sandbox's binary: %v; `make build` makes it, CXHA_SANDBOX names another one", err)
	}
	shared.once.Do(func() { shared.server, shared.err = startAPIServer(binary) })
	if shared.err != nil {
		t.Fatalf("API server: %v", shared.err)
	}
	empty(t, shared.server.client)
	return shared.server
}

func startAPIServer(binary string) (_ *apiServer, err error) {
	dir, err := os.MkdirTemp("", "cxha-kube-test")
	if err != nil {
		return nil, err
	}
	var stops []func()
	s := &apiServer{stop: func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
		_ = os.RemoveAll(dir) // best effort: a temporary directory
	}}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	ca, err := writeCertificates(dir)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(file("tokens"), []byte(`secret,admin,1,"system:masters"`+"\n"), 0o600); err != nil {
		return nil, err
	}
	etcd := fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	for _, args := range [][]string{
		{
			"etcd", "--data-dir=" + file("etcd"), "--name=test", "--listen-client-url=" + etcd, "--listen-peer-url=" + peer,
			"--initial-advertise-peer-url=" + peer, "--cert-file=" + file("leaf.crt"), "--key-file=" + file("leaf.key"), "--trusted-ca-file=" + file("ca.crt"),
		},
		{
			"kube-apiserver", "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[2]), "--etcd-servers=" + etcd,
			"--etcd-cafile=" + file("ca.crt"), "--etcd-certfile=" + file("leaf.crt"), "--etcd-keyfile=" + file("leaf.key"),
			"--tls-cert-file=" + file("leaf.crt"), "--tls-private-key-file=" + file("leaf.key"), "--token-auth-file=" + file("tokens"),
			"--service-account-issuer=https://test", "--service-account-key-file=" + file("leaf.key"), "--service-account-signing-key-file=" + file("leaf.key"),
			"--disable-admission-plugins=ServiceAccount", "--service-cluster-ip-range=10.43.0.0/16",
		},
	} {
		stop, err := startComponent(binary, args)
		if err != nil {
			return nil, err
		}
		stops = append(stops, stop)
	}
	return s, s.connect(fmt.Sprintf("https://127.0.0.1:%d", ports[2]), ca)
}

// startComponent starts a component, which ends when its standard input is closed.
func startComponent(binary string, args []string) (stop func(), err error) {
	cmd := exec.Command(binary, append([]string{"component"}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	var log bytes.Buffer
	cmd.Stderr, cmd.Stdout = &log, io.Discard
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = stdin.Close() // ends it
		err := cmd.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", args[0], err, log.String())
		}
	}, nil
}

func (s *apiServer) connect(address string, ca []byte) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["default"] = &clientcmdapi.Cluster{Server: address, CertificateAuthorityData: ca}
	config.AuthInfos["default"] = &clientcmdapi.AuthInfo{Token: "secret"}
	config.Contexts["default"] = &clientcmdapi.Context{Cluster: "default", AuthInfo: "default"}
	config.CurrentContext = "default"
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	s.kubeconfig = string(text)
	s.client, err = kubernetes.NewForConfig(&rest.Config{Host: address, BearerToken: "secret", TLSClientConfig: rest.TLSClientConfig{CAData: ca}, QPS: -1})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return poll(ctx, func() error {
		return s.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// poll calls try until it succeeds.
func poll(ctx context.Context, try func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// writeCertificates writes a CA and one leaf for servers and clients alike.
func writeCertificates(dir string) (ca []byte, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		return nil, err
	}
	ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	return ca, errors.Join(
		os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o600),
		os.WriteFile(filepath.Join(dir, "leaf.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}), 0o600),
		os.WriteFile(filepath.Join(dir, "leaf.key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600),
	)
}
