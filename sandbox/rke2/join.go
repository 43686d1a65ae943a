package rke2

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// supervisorURL is the agent's own load balancer in front of the server, as it shows in RKE2's messages.
const supervisorURL = "https://127.0.0.1:6444"

const nodePasswordFile = "/etc/rancher/node/password"

const requestTimeout = 10 * time.Second

// supervisorClient talks to a server's supervisor on behalf of an agent.
type supervisorClient struct {
	dial  dialer
	token settings.Token
	caPEM []byte
	http  *http.Client
}

// connect downloads the server's CA, checks it against the token's hash, and trusts nothing else from then on.
func connect(ctx context.Context, dial dialer, token settings.Token) (*supervisorClient, error) {
	c := &supervisorClient{dial: dial, token: token}
	c.http = c.client(&tls.Config{InsecureSkipVerify: true}) // nothing but the CA is asked for, and it is checked below
	caPEM, err := c.get(ctx, "/cacerts", false)
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	if hash := settings.CAHash(caPEM); token.CAHash != "" && token.CAHash != hash {
		return nil, fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", token.CAHash, hash)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	c.caPEM = caPEM
	c.http = c.client(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	if _, err := c.get(ctx, "/cacerts", false); err != nil {
		return nil, fmt.Errorf("CA cert validation failed: %w", err)
	}
	return c, nil
}

func (c *supervisorClient) client(config *tls.Config) *http.Client {
	return &http.Client{Timeout: requestTimeout, Transport: &http.Transport{
		TLSClientConfig: config, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
	}}
}

func (c *supervisorClient) get(ctx context.Context, path string, authenticate bool) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, supervisorURL+path, nil)
	if err != nil {
		return nil, err
	}
	return c.do(request, authenticate)
}

// do sends a request. Every answer but 2xx is an error in RKE2's words: the URL and the status.
func (c *supervisorClient) do(request *http.Request, authenticate bool) ([]byte, error) {
	if authenticate {
		request.SetBasicAuth(settings.NodeUser, c.token.Password)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, &statusError{url: request.URL.String(), status: response.Status, code: response.StatusCode}
	}
	return io.ReadAll(io.LimitReader(response.Body, maxBody))
}

// statusError is an answer of the supervisor that refuses.
type statusError struct {
	url, status string
	code        int
}

func (e *statusError) Error() string { return e.url + ": " + e.status }

// config asks for what the agent has to know about the cluster.
func (c *supervisorClient) config(ctx context.Context) (ClusterConfig, error) {
	var config ClusterConfig
	body, err := c.get(ctx, "/v1-rke2/config", true)
	if err != nil {
		return config, fmt.Errorf("failed to retrieve configuration from server: %w", err)
	}
	return config, json.Unmarshal(body, &config)
}

// nodeIdentity is who a node says it is.
type nodeIdentity struct {
	name, password string
	address        netip.Addr
}

// certificate makes a key and has it signed by the server, for this node.
func (c *supervisorClient) certificate(ctx context.Context, name string, node nodeIdentity) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return KeyPair{}, err
	}
	requestDER, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return KeyPair{}, err
	}
	body := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: requestDER})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, supervisorURL+"/v1-rke2/"+name, bytes.NewReader(body))
	if err != nil {
		return KeyPair{}, err
	}
	request.Header.Set(nodeNameHeader, node.name)
	request.Header.Set(nodePasswordHeader, node.password)
	request.Header.Set(nodeIPHeader, node.address.String())
	certPEM, err := c.do(request, true)
	var refused *statusError
	if errors.As(err, &refused) && refused.code == http.StatusForbidden {
		return KeyPair{}, messagef("Node password rejected, duplicate hostname or contents of '%s' may not match server "+
			"node-passwd entry, try enabling a unique node name with the --with-node-id flag", nodePasswordFile)
	}
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{CertPEM: certPEM, KeyPEM: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})}, nil
}

// ensureNodePassword reads the node's password and makes one when there is none (domain.md §2.13).
func (d *daemon) ensureNodePassword() (string, error) {
	data, err := d.host.Files.ReadFile(nodePasswordFile)
	if err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	password, err := newPassword()
	if err != nil {
		return "", err
	}
	return password, d.writeFile(nodePasswordFile, []byte(password+"\n"), 0o600)
}
