package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// renewBefore is RKE2's rule: leaf certificates are renewed at a start when they have less than 120 days left (domain.md §2.9).
const renewBefore = 120 * 24 * time.Hour

// PKI is the tls directory of a server: its authorities, the certificates of the components and the key of service account
// tokens, under the file names that RKE2 uses. What exists is kept, so a restart keeps them.
type PKI struct {
	Dir string
	// ServerCA signs what serves, ClientCA what calls, EtcdCA both sides of etcd.
	ServerCA, ClientCA, EtcdCA *Authority
}

// OpenPKI reads the authorities and the service account key in dir, and makes those that do not exist.
func OpenPKI(dir string) (*PKI, error) {
	if err := os.MkdirAll(filepath.Join(dir, "etcd"), 0o700); err != nil {
		return nil, err
	}
	pki := &PKI{Dir: dir}
	for name, target := range map[string]**Authority{
		"server-ca": &pki.ServerCA, "client-ca": &pki.ClientCA, filepath.Join("etcd", "server-ca"): &pki.EtcdCA,
	} {
		authority, err := openAuthority(dir, name)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		*target = authority
	}
	if err := ensureKey(pki.Path("service.key")); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return pki, nil
}

// Path returns the real path of a file of the tls directory.
func (p *PKI) Path(name string) string { return filepath.Join(p.Dir, name) }

// Ensure keeps name.crt and name.key signed by the authority and good for the leaf, and makes them anew when they are not:
// missing, of another authority, for another subject, without one of the names or addresses, or close to their end.
func (p *PKI) Ensure(authority *Authority, name string, leaf Leaf) error {
	certFile, keyFile := p.Path(name+".crt"), p.Path(name+".key")
	if good, err := p.isGood(authority, name, leaf); err != nil || good {
		return err
	}
	certPEM, keyPEM, err := authority.Issue(leaf)
	if err != nil {
		return fmt.Errorf("tls: %s: %w", name, err)
	}
	if err := writeFile(keyFile, keyPEM, 0o600); err != nil {
		return err
	}
	return writeFile(certFile, certPEM, 0o600)
}

func (p *PKI) isGood(authority *Authority, name string, leaf Leaf) (bool, error) {
	certPEM, err := os.ReadFile(p.Path(name + ".crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	keyPEM, err := os.ReadFile(p.Path(name + ".key"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	cert, certErr := parseCertificate(certPEM)
	key, keyErr := parseKey(keyPEM)
	if certErr != nil || keyErr != nil {
		return false, nil // torn by a power cut: make them anew
	}
	return key.PublicKey.Equal(cert.PublicKey) && cert.CheckSignatureFrom(authority.cert) == nil &&
		time.Until(cert.NotAfter) > renewBefore && covers(cert, leaf), nil
}

func covers(cert *x509.Certificate, leaf Leaf) bool {
	if cert.Subject.CommonName != leaf.CommonName || !slices.Equal(cert.Subject.Organization, leaf.Organizations) {
		return false
	}
	for _, name := range leaf.DNSNames {
		if !slices.Contains(cert.DNSNames, name) {
			return false
		}
	}
	for _, address := range leaf.IPs {
		if !slices.ContainsFunc(cert.IPAddresses, func(ip net.IP) bool { return ip.Equal(address) }) {
			return false
		}
	}
	return true
}

func ensureKey(file string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	return writeFile(file, keyPEM, 0o600)
}
