package controlplane_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPKIIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := controlplane.OpenPKI(dir)
	if err != nil {
		t.Fatal(err)
	}
	leaf := controlplane.Leaf{CommonName: "kube-apiserver", DNSNames: []string{"localhost"}, IPs: []net.IP{net.IPv4(10, 10, 1, 10)}}
	if err := first.Ensure(first.ServerCA, "serving", leaf); err != nil {
		t.Fatal(err)
	}
	made := read(t, first.Path("serving.crt"))

	second, err := controlplane.OpenPKI(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.ServerCA.CertPEM, second.ServerCA.CertPEM) {
		t.Error("the CA is another one after it was opened again")
	}
	if err := second.Ensure(second.ServerCA, "serving", leaf); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, read(t, second.Path("serving.crt"))) {
		t.Error("a good certificate was made anew")
	}
	leaf.DNSNames = append(leaf.DNSNames, "cp.cx.internal")
	if err := second.Ensure(second.ServerCA, "serving", leaf); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(read(t, second.Path("serving.crt")))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "cp.cx.internal", "10.10.1.10"} {
		if _, err := cert.Verify(x509.VerifyOptions{DNSName: name, Roots: second.ServerCA.Pool()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: second.ClientCA.Pool()}); err == nil {
		t.Error("another CA verifies the certificate")
	}
}

func TestCertificateIsMadeAnewForAnotherCA(t *testing.T) {
	t.Parallel()
	pki, err := controlplane.OpenPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	leaf := controlplane.Leaf{CommonName: "system:admin", Organizations: []string{"system:masters"}}
	var certificates [2][]byte
	for i, authority := range []*controlplane.Authority{pki.ServerCA, pki.ClientCA} {
		if err := pki.Ensure(authority, "client", leaf); err != nil {
			t.Fatal(err)
		}
		certificates[i] = read(t, pki.Path("client.crt"))
	}
	if bytes.Equal(certificates[0], certificates[1]) {
		t.Error("the certificate of the other CA was kept")
	}
}

func FuzzSignRequest(f *testing.F) {
	pki, err := controlplane.OpenPKI(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, request []byte) {
		if _, err := pki.ClientCA.SignRequest(request, controlplane.Leaf{CommonName: "x"}); err == nil {
			t.Errorf("signed %q", request)
		}
	})
}

// It does not run beside others: one of them could take a port between the two choices.
func TestPortsAreKept(t *testing.T) {
	dir := t.TempDir()
	first, err := controlplane.ChoosePorts(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := controlplane.ChoosePorts(dir)
	if err != nil {
		t.Fatal(err)
	}
	if first != second || first.APIServer == 0 || first.APIServer == first.EtcdClient || first.EtcdClient == first.EtcdPeer {
		t.Errorf("ports: first %v, then %v", first, second)
	}
	if read, err := controlplane.ReadPorts(dir); err != nil || read != second {
		t.Errorf("ports on disk: %v, %v", read, err)
	}
}

// A port that somebody else has taken since is replaced.
func TestTakenPortIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	last := controlplane.Ports{APIServer: taken.Addr().(*net.TCPAddr).Port}
	content, err := json.Marshal(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sandbox-ports.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	now, err := controlplane.ChoosePorts(dir)
	if err != nil {
		t.Fatal(err)
	}
	if now.APIServer == last.APIServer || now.APIServer == 0 || now.EtcdClient == 0 || now.EtcdPeer == 0 {
		t.Errorf("ports: first %v, then %v", last, now)
	}
}
