package providertest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// APIServer is a real etcd and kube-apiserver: components of the sandbox's program, without controllers, so that a test decides
// what becomes of objects. The zero value is one that is not started.
type APIServer struct {
	URL   string // https://127.0.0.1:PORT
	CA    []byte // PEM
	Token string // of an administrator (group system:masters)

	once  sync.Once
	err   error
	stops []func() error
	ended chan error // has an error for each component that ended by itself
}

// Start starts the server when a test needs it first. The test is skipped with -short, and fails where the program was not built.
// CXHA_SANDBOX names another one than bin/cxha-sandbox. Stop ends it.
func (s *APIServer) Start(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real API server: not with -short")
	}
	program := program(t)
	s.once.Do(func() { s.err = s.startSomewhere(program) })
	if s.err != nil {
		t.Fatalf("API server: %v", s.err)
	}
}

// Main runs a package's tests and stops the server after them. The result is the exit code.
func (s *APIServer) Main(m *testing.M) int {
	code := m.Run()
	if err := s.stop(); err != nil {
		fmt.Fprintf(os.Stderr, "API server: %v\n", err)
		return max(code, 1)
	}
	return code
}

func (s *APIServer) stop() error {
	var failed error
	for i := len(s.stops) - 1; i >= 0; i-- {
		failed = errors.Join(failed, s.stops[i]())
	}
	return failed
}

// attempts is how often ports are chosen: another process may take one before the component that it was chosen for.
const attempts = 5

func (s *APIServer) startSomewhere(program string) error {
	var err error
	for range attempts {
		if err = s.start(program); err == nil {
			return nil
		}
		err = errors.Join(err, s.stop())
		s.stops = nil
	}
	return err
}

func (s *APIServer) start(program string) error {
	s.ended = make(chan error, 2)
	dir, err := os.MkdirTemp("", "cxha-apiserver")
	if err != nil {
		return err
	}
	s.stops = append(s.stops, func() error { return os.RemoveAll(dir) })
	if s.CA, err = writeCertificates(dir); err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	s.Token = "secret"
	if err := os.WriteFile(file("tokens"), []byte(s.Token+`,admin,1,"system:masters"`+"\n"), 0o600); err != nil {
		return err
	}
	etcd, peer := fmt.Sprintf("https://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	err = s.component(program, "etcd", "--data-dir="+file("etcd"), "--name=test", "--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--cert-file="+file("leaf.crt"), "--key-file="+file("leaf.key"), "--trusted-ca-file="+file("ca.crt"))
	if err != nil {
		return err
	}
	err = s.component(program, "kube-apiserver", "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[2]), "--etcd-servers="+etcd,
		"--etcd-cafile="+file("ca.crt"), "--etcd-certfile="+file("leaf.crt"), "--etcd-keyfile="+file("leaf.key"),
		"--tls-cert-file="+file("leaf.crt"), "--tls-private-key-file="+file("leaf.key"), "--token-auth-file="+file("tokens"),
		"--service-account-issuer=https://test", "--service-account-key-file="+file("leaf.key"), "--service-account-signing-key-file="+file("leaf.key"),
		"--disable-admission-plugins=ServiceAccount", "--service-cluster-ip-range=10.43.0.0/16")
	if err != nil {
		return err
	}
	s.URL = fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	return s.awaitReady()
}

// component starts a component, which ends when its standard input is closed.
func (s *APIServer) component(program, name string, args ...string) error {
	cmd := exec.Command(program, append([]string{"component", name}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var log bytes.Buffer
	cmd.Stderr, cmd.Stdout = &log, io.Discard
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		// What it says matters only if it was not told to end; then it may end with any code.
		s.ended <- fmt.Errorf("%s ended: %w\n%s", name, cmd.Wait(), lastLines(log.String()))
		close(gone)
	}()
	s.stops = append(s.stops, func() error {
		err := stdin.Close()
		<-gone
		if errors.Is(err, os.ErrClosed) { // it had ended
			return nil
		}
		return err
	})
	return nil
}

func lastLines(log string) string {
	const enough = 2000
	return log[max(0, len(log)-enough):]
}

func (s *APIServer) awaitReady() error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.CA) {
		return errors.New("the CA's certificate is damaged")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	ctx, lost := context.WithCancelCause(ctx)
	go func() {
		select {
		case err := <-s.ended:
			lost(err)
		case <-ctx.Done():
		}
	}()
	defer lost(nil)
	err := Poll(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/readyz", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+s.Token)
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz: %s", res.Status)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return nil
}

// Poll calls try until it succeeds. When the context ends first, the result is the last error of try.
func Poll(ctx context.Context, try func() error) error {
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
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
