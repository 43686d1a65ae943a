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
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/sandbox/rke2/settings"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

// maxBody is more than any request to the supervisor needs.
const maxBody = 1 << 20

// clusterConfig is what an agent learns from the server about the cluster.
type clusterConfig struct {
	ClusterCIDR   string `json:"clusterCIDR"`
	ServiceCIDR   string `json:"serviceCIDR"`
	APIServerPort int    `json:"apiServerPort"`
}

// supervisor answers agents and administrators on port 9345.
type supervisor struct {
	plane  *controlplane.ControlPlane
	client kubernetes.Interface
	log    journal
	config clusterConfig
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
	mux.Handle("POST /v1-rke2/client-kubelet.crt", s.authenticated(s.kubeletCertificate))
	mux.Handle("POST /v1-rke2/client-rke2-controller.crt", s.authenticated(s.controllerCertificate))
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

// kubeletCertificate signs the key of a node's kubelet, for the node whose password fits.
func (s *supervisor) kubeletCertificate(w http.ResponseWriter, r *http.Request) {
	node, password := r.Header.Get("rke2-Node-Name"), r.Header.Get("rke2-Node-Password")
	if node == "" || password == "" {
		http.Error(w, "node name or password not set", http.StatusBadRequest)
		return
	}
	err := verifyNodePassword(r.Context(), s.client, node, password)
	if errors.Is(err, errNodePassword) {
		s.log.errorf("Sending HTTP 403 response to %s: %s: %v", r.RemoteAddr, node, err)
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	if err != nil {
		s.log.errorf("Sending HTTP 503 response to %s: %v", r.RemoteAddr, err)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	s.sign(w, r, controlplane.Leaf{CommonName: "system:node:" + node, Organizations: []string{"system:nodes"}})
}

func (s *supervisor) controllerCertificate(w http.ResponseWriter, r *http.Request) {
	s.sign(w, r, controlplane.Leaf{CommonName: controllerUser})
}

func (s *supervisor) sign(w http.ResponseWriter, r *http.Request, leaf controlplane.Leaf) {
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	certificate, err := s.plane.PKI.ClientCA.SignRequest(request, leaf)
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
