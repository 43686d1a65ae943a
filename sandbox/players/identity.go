package players

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// identity is a server's certificate, its key, and the authority that signed it, all PEM.
type identity struct{ caPEM, certPEM, keyPEM []byte }

const identityLife = 10 * 365 * 24 * time.Hour // MetalLB's certificate rotator makes them for ten years

// newIdentity makes an authority and a certificate for a name. The authority's key is thrown away.
func newIdentity(name string, now time.Time) (identity, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "cert", Organization: []string{"metallb"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(identityLife), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return identity{}, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return identity{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return identity{}, err
	}
	encode := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return identity{encode("CERTIFICATE", caDER), encode("CERTIFICATE", leafDER), encode("PRIVATE KEY", keyDER)}, nil
}

// isGood tells whether the identity is complete, fits together, and is valid for a name.
func (i identity) isGood(name string, now time.Time) bool {
	pair, err := tls.X509KeyPair(i.certPEM, i.keyPEM)
	if err != nil {
		return false
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(i.caPEM) {
		return false
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: authorities, CurrentTime: now})
	return err == nil
}
