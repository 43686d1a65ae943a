package rke2

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// maxBody is more than any request to the supervisor needs.
const maxBody = 1 << 20

// supervisor answers agents and administrators on port 9345.
type supervisor struct {
	plane  *controlplane.ControlPlane
	client kubernetes.Interface
	log    Journal
	config ClusterConfig
	// passwords by user; an agent is "node", a server is "server".
	passwords map[string]string
}

// handler has RKE2's paths: what names the cluster is open to all, all else needs a token.
func (s *supervisor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { s.reply(w, []byte("pong")) })
	mux.HandleFunc("GET /cacerts", func(w http.ResponseWriter, _ *http.Request) { s.reply(w, s.plane.PKI.ServerCA.CertPEM) })
	mux.Handle("GET /v1-rke2/readyz", s.authenticated(s.ready))
	mux.Handle("GET /v1-rke2/config", s.authenticated(s.clusterConfig))
	mux.Handle("GET /v1-rke2/server-ca.crt", s.authenticated(func(w http.ResponseWriter, _ *http.Request) {
		s.reply(w, s.plane.PKI.ServerCA.CertPEM)
	}))
	mux.Handle("GET /v1-rke2/client-ca.crt", s.authenticated(func(w http.ResponseWriter, _ *http.Request) {
		s.reply(w, s.plane.PKI.ClientCA.CertPEM)
	}))
	mux.Handle("POST /v1-rke2/client-kubelet.crt", s.authenticated(s.ofNode(func(w http.ResponseWriter, r *http.Request) {
		s.sign(w, r, s.plane.PKI.ClientCA, kubeletLeaf(r.Header.Get(nodeNameHeader)))
	})))
	mux.Handle("POST /v1-rke2/serving-kubelet.crt", s.authenticated(s.ofNode(s.servingCertificate)))
	for name, user := range map[string]string{"client-kube-proxy.crt": proxyUser, "client-rke2-controller.crt": controllerUser} {
		mux.Handle("POST /v1-rke2/"+name, s.authenticated(func(w http.ResponseWriter, r *http.Request) {
			s.sign(w, r, s.plane.PKI.ClientCA, controlplane.Leaf{CommonName: user})
		}))
	}
	return mux
}

// serve answers on a listener, by TLS, until the context ends.
func (s *supervisor) serve(ctx context.Context, raw net.Listener) error {
	certificate, err := tls.LoadX509KeyPair(s.plane.PKI.Path("serving-kube-apiserver.crt"), s.plane.PKI.Path("serving-kube-apiserver.key"))
	if err != nil {
		return errors.Join(err, raw.Close())
	}
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // a client that does not trust the CA is the client's to report
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err = server.Serve(tls.NewListener(raw, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// authenticated lets a request through whose basic authentication is a user's of the cluster.
func (s *supervisor) authenticated(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		want, known := s.passwords[user]
		if !known || subtle.ConstantTimeCompare([]byte(password), []byte(want)) != 1 {
			// The server's token joins agents too (domain.md §2.8).
			if user != settings.NodeUser || subtle.ConstantTimeCompare([]byte(password), []byte(s.passwords[settings.ServerUser])) != 1 {
				http.Error(w, "Unauthorized", http.StatusUnauthorized)
				return
			}
		}
		next(w, r)
	})
}

func (s *supervisor) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(r.Context()).Error(); err != nil {
		http.Error(w, "runtime core not ready", http.StatusServiceUnavailable)
		return
	}
	s.reply(w, []byte("ok"))
}

func (s *supervisor) clusterConfig(w http.ResponseWriter, _ *http.Request) {
	encoded, err := json.Marshal(s.config)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.reply(w, encoded)
}

// proxyUser is kube-proxy's user; Kubernetes' own roles know it.
const proxyUser = "system:kube-proxy"

// Headers in which a node says who it is.
const (
	nodeNameHeader     = "rke2-Node-Name"
	nodePasswordHeader = "rke2-Node-Password"
	nodeIPHeader       = "rke2-Node-Ip"
)

func kubeletLeaf(node string) controlplane.Leaf {
	return controlplane.Leaf{CommonName: "system:node:" + node, Organizations: []string{"system:nodes"}}
}

// servingLeaf is for kubelet's own port, on which the API server asks it for logs and commands.
func servingLeaf(node string, address netip.Addr) controlplane.Leaf {
	return controlplane.Leaf{
		CommonName: node, DNSNames: []string{node, "localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.IP(address.AsSlice())},
	}
}

// ofNode lets a request through that comes from a node whose password fits.
func (s *supervisor) ofNode(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		node, password := r.Header.Get(nodeNameHeader), r.Header.Get(nodePasswordHeader)
		if node == "" || password == "" {
			http.Error(w, "node name or password not set", http.StatusBadRequest)
			return
		}
		err := verifyNodePassword(r.Context(), s.client, node, password)
		if errors.Is(err, errNodePassword) {
			s.log.Errorf("Sending HTTP 403 response to %s: %s: %v", r.RemoteAddr, node, err)
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		if err != nil {
			s.log.Errorf("Sending HTTP 503 response to %s: %v", r.RemoteAddr, err)
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		next(w, r)
	}
}

func (s *supervisor) servingCertificate(w http.ResponseWriter, r *http.Request) {
	address, err := netip.ParseAddr(r.Header.Get(nodeIPHeader))
	if err != nil {
		http.Error(w, "node IP: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.sign(w, r, s.plane.PKI.ServerCA, servingLeaf(r.Header.Get(nodeNameHeader), address))
}

func (s *supervisor) sign(w http.ResponseWriter, r *http.Request, authority *controlplane.Authority, leaf controlplane.Leaf) {
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	certificate, err := authority.SignRequest(request, leaf)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.reply(w, certificate)
}

func (s *supervisor) reply(w http.ResponseWriter, body []byte) {
	// The other side has gone if this fails, and asks again.
	_, _ = w.Write(body)
}
