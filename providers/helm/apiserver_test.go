package helm_test

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
)

// apiServer is a real etcd and kube-apiserver: components of the sandbox's binary, without controllers, so that a test decides
// what becomes of objects.
type apiServer struct {
	config *rest.Config
	client *kubernetes.Clientset
	stops  []func()
}

var shared struct {
	once   sync.Once
	server apiServer
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	shared.server.stop()
	os.Exit(code)
}

// realAPI returns the package's one API server. Tests share it: each has namespaces of its own.
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
	shared.once.Do(func() { shared.err = shared.server.start(binary) })
	if shared.err != nil {
		t.Fatalf("API server: %v", shared.err)
	}
	return &shared.server
}

func (s *apiServer) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}

func (s *apiServer) start(binary string) error {
	dir, err := os.MkdirTemp("", "cxha-helm-test")
	if err != nil {
		return err
	}
	s.stops = append(s.stops, func() { _ = os.RemoveAll(dir) }) // best effort: a temporary directory
	ca, err := certificates(dir)
	if err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(file("tokens"), []byte(`secret,admin,1,"system:masters"`+"\n"), 0o600); err != nil {
		return err
	}
	etcd, peer := fmt.Sprintf("https://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	if err := s.component(binary, "etcd", "--data-dir="+file("etcd"), "--name=test", "--listen-client-url="+etcd, "--listen-peer-url="+peer,
		"--initial-advertise-peer-url="+peer, "--cert-file="+file("leaf.crt"), "--key-file="+file("leaf.key"), "--trusted-ca-file="+file("ca.crt")); err != nil {
		return err
	}
	if err := s.component(binary, "kube-apiserver", "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[2]), "--etcd-servers="+etcd,
		"--etcd-cafile="+file("ca.crt"), "--etcd-certfile="+file("leaf.crt"), "--etcd-keyfile="+file("leaf.key"),
		"--tls-cert-file="+file("leaf.crt"), "--tls-private-key-file="+file("leaf.key"), "--token-auth-file="+file("tokens"),
		"--service-account-issuer=https://test", "--service-account-key-file="+file("leaf.key"), "--service-account-signing-key-file="+file("leaf.key"),
		"--disable-admission-plugins=ServiceAccount", "--service-cluster-ip-range=10.43.0.0/16"); err != nil {
		return err
	}
	s.config = &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", ports[2]), BearerToken: "secret", TLSClientConfig: rest.TLSClientConfig{CAData: ca}, QPS: -1,
	}
	if s.client, err = kubernetes.NewForConfig(s.config); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return poll(ctx, func() error { return s.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() })
}

// component starts a component, which ends when its standard input is closed.
func (s *apiServer) component(binary string, args ...string) error {
	cmd := exec.Command(binary, append([]string{"component"}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var log bytes.Buffer
	cmd.Stderr, cmd.Stdout = &log, io.Discard
	if err := cmd.Start(); err != nil {
		return err
	}
	s.stops = append(s.stops, func() {
		_ = stdin.Close() // ends it
		err := cmd.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", args[0], err, log.String())
		}
	})
	return nil
}

// poll calls try until it succeeds.
func poll(ctx context.Context, try func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
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

// certificates writes a CA and one leaf for servers and clients alike.
func certificates(dir string) (ca []byte, err error) {
	keys := make([]*ecdsa.PrivateKey, 2)
	for i := range keys {
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
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
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &keys[0].PublicKey, keys[0])
	if err != nil {
		return nil, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &keys[1].PublicKey, keys[0])
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalECPrivateKey(keys[1])
	if err != nil {
		return nil, err
	}
	ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	return ca, errors.Join(
		os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o600),
		os.WriteFile(filepath.Join(dir, "leaf.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}), 0o600),
		os.WriteFile(filepath.Join(dir, "leaf.key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}), 0o600),
	)
}
