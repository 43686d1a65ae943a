package controlplane

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"
)

// egress is the API server's way into the cluster: an HTTP CONNECT proxy that its egress selector names for everything that
// goes to Services, pods and nodes. RKE2's server has one too. Here it leads to where DialCluster says.
type egress struct {
	listener net.Listener
	dial     func(ctx context.Context, address string) (net.Conn, error)
	ctx      context.Context
	cancel   context.CancelFunc
	serving  sync.WaitGroup
}

// startEgress opens the proxy on a free loopback port and writes the API server's configuration for it. Both sides show
// certificates.
func (c *ControlPlane) startEgress() error {
	if c.options.DialCluster == nil {
		return nil
	}
	certificate, err := tls.LoadX509KeyPair(c.PKI.Path("serving-kube-apiserver.crt"), c.PKI.Path("serving-kube-apiserver.key"))
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientCAs: c.PKI.ClientCA.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		return err
	}
	e := &egress{listener: listener, dial: c.options.DialCluster}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	c.egress = e
	e.serving.Go(e.serve)
	return c.writeEgressConfig()
}

func (c *ControlPlane) egressFile() string {
	return filepath.Join(c.options.Dir, "etc", "egress-selector-config.yaml")
}

func (c *ControlPlane) writeEgressConfig() error {
	config, err := yaml.Marshal(map[string]any{
		"apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration",
		"egressSelections": []any{map[string]any{"name": "cluster", "connection": map[string]any{
			"proxyProtocol": "HTTPConnect",
			"transport": map[string]any{"tcp": map[string]any{
				"url": "https://" + c.egress.listener.Addr().String(),
				"tlsConfig": map[string]any{
					"caBundle":   c.PKI.Path("server-ca.crt"),
					"clientCert": c.PKI.Path("client-kube-apiserver.crt"), "clientKey": c.PKI.Path("client-kube-apiserver.key"),
				},
			}},
		}}},
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.egressFile()), 0o700); err != nil {
		return err
	}
	return writeFile(c.egressFile(), config, 0o600)
}

// stop ends the proxy with its connections.
func (e *egress) stop() {
	if e == nil {
		return
	}
	e.cancel()
	e.listener.Close() // nothing was written that an error could lose
	e.serving.Wait()
}

func (e *egress) serve() {
	for {
		conn, err := e.listener.Accept()
		if err != nil {
			return // closed
		}
		e.serving.Go(func() { e.tunnel(conn) })
	}
}

// tunnel serves one CONNECT request. What kept a connection from being made is the reason in the status line, which the API
// server repeats in its own error.
func (e *egress) tunnel(conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(e.ctx, func() { conn.Close() })()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return
	}
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return // the API server is gone
	}
	target, err := e.dialFor(request)
	if err != nil {
		// The caller is told by the answer; when it is gone nobody wants to know.
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 502 %s\r\nContent-Length: 0\r\n\r\n", strings.Map(printable, err.Error()))
		return
	}
	defer target.Close()
	defer context.AfterFunc(e.ctx, func() { target.Close() })()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	ended := make(chan struct{}, 2)
	pipe := func(to io.Writer, from io.Reader) {
		// However a direction ends, the other end sees it: its connection is closed.
		_, _ = io.Copy(to, from)
		ended <- struct{}{}
	}
	go pipe(target, conn)
	go pipe(conn, target)
	<-ended
}

func (e *egress) dialFor(request *http.Request) (net.Conn, error) {
	if request.Method != http.MethodConnect {
		return nil, errors.New("CONNECT is the only method")
	}
	return e.dial(e.ctx, request.Host)
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return ' '
	}
	return r
}
