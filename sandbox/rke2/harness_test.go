package rke2_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/expertflow/cxha/sandbox/machine"
	"github.com/expertflow/cxha/sandbox/mirror"
	"github.com/expertflow/cxha/sandbox/network"
	"github.com/expertflow/cxha/sandbox/rke2/settings"
	"github.com/expertflow/cxha/sandbox/rke2/virtualhost"
)

const version = "v1.35.7+rke2r1"

// site is a private network with a mirror, and hosts that RKE2 can be installed on.
type site struct {
	t       *testing.T
	ctx     context.Context
	net     *network.Network
	key     ssh.Signer
	dir     string
	options virtualhost.Options
}

func newSite(t *testing.T, limit time.Duration) *site {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	s := &site{t: t, ctx: ctx, net: network.New(), key: key, dir: t.TempDir()}
	listener, err := s.net.Attach("mirror", netip.MustParseAddr("10.10.0.2")).Listen(80)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mirror.Handler(), ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), ignoreClosed(<-served)); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// integration skips a test that starts a control plane when short tests are asked for.
func integration(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane")
	}
}

// host is a machine of the site with an SSH connection as root.
type host struct {
	*machine.Machine
	site   *site
	client *ssh.Client
}

func (s *site) host(name, address string) *host {
	s.t.Helper()
	m, err := machine.New(machine.Options{
		Name: name, Dir: s.dir + "/" + name, Net: s.net.Attach(name, netip.MustParseAddr(address)),
		Programs:       map[string]machine.Program{virtualhost.ProgramName: s.options.Program},
		AuthorizedKeys: []string{string(ssh.MarshalAuthorizedKey(s.key.PublicKey()))},
		Hosts: map[string]netip.Addr{
			"mirror.sandbox.internal": netip.MustParseAddr("10.10.0.2"), "cp.cx.internal": netip.MustParseAddr("10.10.1.10"),
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	h := &host{Machine: m, site: s}
	h.powerOn()
	s.t.Cleanup(func() {
		if err := errors.Join(m.PowerOff(), m.Close()); err != nil {
			s.t.Error(err)
		}
	})
	return h
}

// powerOn boots the host and logs in.
func (h *host) powerOn() {
	h.site.t.Helper()
	if err := h.PowerOn(h.site.ctx); err != nil {
		h.site.t.Fatal(err)
	}
	key, err := h.HostKey()
	if err != nil {
		h.site.t.Fatal(err)
	}
	address := netip.AddrPortFrom(h.Net().Addrs()[0], 22).String()
	conn, err := h.Net().Dial(h.site.ctx, netip.MustParseAddrPort(address))
	if err != nil {
		h.site.t.Fatal(err)
	}
	c, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(h.site.key)}, HostKeyCallback: ssh.FixedHostKey(key),
	})
	if err != nil {
		h.site.t.Fatal(err)
	}
	h.client = ssh.NewClient(c, channels, requests)
}

// try runs a script as root and returns what it prints.
func (h *host) try(script string) (string, error) {
	session, err := h.client.NewSession()
	if err != nil {
		return "", err
	}
	defer session.Close()
	session.Stdin = strings.NewReader(script)
	output, err := session.CombinedOutput("/bin/sh -s")
	return string(output), err
}

// run is try for a script that has to succeed.
func (h *host) run(script string) string {
	h.site.t.Helper()
	output, err := h.try(script)
	if err != nil {
		h.site.t.Fatalf("%s: %v\n%s", h.Name(), err, output)
	}
	return output
}

// install installs RKE2 from the mirror and writes its configuration.
func (h *host) install(role settings.Role, config string) {
	h.site.t.Helper()
	h.run(fmt.Sprintf(`set -eu
curl -sfL http://mirror.sandbox.internal/install.sh -o /tmp/install.sh
INSTALL_RKE2_VERSION=%s INSTALL_RKE2_METHOD=tar INSTALL_RKE2_TYPE=%s sh /tmp/install.sh
mkdir -p /etc/rancher/rke2
cat >/etc/rancher/rke2/config.yaml <<'EOF'
%s
EOF
chmod 600 /etc/rancher/rke2/config.yaml
systemctl enable rke2-%s`, version, role, config, role))
}

// api is a client of the host's cluster with the administrator's rights.
func (h *host) api() kubernetes.Interface {
	h.site.t.Helper()
	client, err := kubernetes.NewForConfig(h.apiConfig())
	if err != nil {
		h.site.t.Fatal(err)
	}
	return client
}

func (h *host) apiConfig() *rest.Config {
	h.site.t.Helper()
	kubeconfig, err := virtualhost.AdminKubeconfig(h.Machine)
	if err != nil {
		h.site.t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		h.site.t.Fatal(err)
	}
	return config
}

// await calls try until it returns nil, and says how long that took.
func (s *site) await(what string, try func() error) {
	s.t.Helper()
	began := time.Now()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	var last error
	for {
		err := try()
		if err == nil {
			s.t.Logf("%s: after %s", what, time.Since(began).Round(time.Millisecond))
			return
		}
		if last == nil || s.ctx.Err() == nil && !strings.Contains(err.Error(), "context deadline") {
			last = err // near the end clients say only that there is no time
		}
		select {
		case <-s.ctx.Done():
			s.t.Fatalf("%s: %v", what, last)
		case <-ticker.C:
		}
	}
}

// awaitNode waits until a node is in a state.
func (s *site) awaitNode(api kubernetes.Interface, name string, want corev1.ConditionStatus) *corev1.Node {
	s.t.Helper()
	var node *corev1.Node
	s.await(fmt.Sprintf("node %s with Ready=%s", name, want), func() error {
		var err error
		if node, err = api.CoreV1().Nodes().Get(s.ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == want {
				return nil
			}
		}
		return fmt.Errorf("conditions %v", node.Status.Conditions)
	})
	return node
}

// countLog counts the lines of a unit's journal that contain a text.
func (h *host) countLog(unit, text string) int {
	h.site.t.Helper()
	return strings.Count(h.run("journalctl -u "+unit+" -n 10000 -o cat --no-pager"), text)
}

// awaitLog waits for a line in a unit's journal.
func (h *host) awaitLog(unit, line string) {
	h.site.t.Helper()
	h.site.await(fmt.Sprintf("%s: %s says %q", h.Name(), unit, line), func() error {
		output, err := h.try("journalctl -u " + unit + " -n 200 -o cat --no-pager")
		if err == nil && !strings.Contains(output, line) {
			err = errors.New(output)
		}
		return err
	})
}
