package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	authv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers/footprint"
)

// Where RKE2 reads and writes (domain.md §2.6), and the suite's own token files.
const (
	configDir       = "/etc/rancher/rke2"
	serverDir       = "/var/lib/rancher/rke2/server"
	serverTokenFile = configDir + "/conformance-server-token"
	agentTokenFile  = configDir + "/conformance-agent-token"
)

// What the server is configured with, none of it RKE2's default.
const (
	podRange     = "10.52.0.0/16"
	serviceRange = "10.53.0.0/16"
	extraName    = "extra.conformance.internal"
	tolerateFor  = 77
	scalarLabel  = "conformance.cxha.io/scalar"
	ownLabel     = "conformance.cxha.io/label"
)

// quickly is how long a command that only queues a job may take.
const quickly = 5 * time.Second

func waitingChecks() []Check {
	needs := []string{"C-INST-03"}
	return []Check{
		{ID: "C-UNIT-01", Point: "the units are of type notify, start without a time limit and are restarted always", Needs: needs, Run: unitRules},
		{ID: "C-UNIT-02", Point: "systemctl start --no-block returns at once, and the unit is activating", Needs: needs, Run: startWithoutServer},
		{ID: "C-JOIN-01", Point: "an agent whose server does not answer goes on waiting, and its journal says connection refused", Needs: []string{"C-UNIT-02"}, Run: agentWaits},
	}
}

func serverChecks() []Check {
	up := []string{"C-API-01"}
	return []Check{
		{ID: "C-UNIT-03", Point: "an enabled unit has the UnitFileState enabled", Needs: []string{"C-INST-03"}, Run: enabled},
		{ID: "C-API-01", Point: "a server with a first configuration becomes active", Needs: []string{"C-UNIT-03"}, Run: serverStarts},
		{ID: "C-API-02", Point: "the admin's kubeconfig leads to https://127.0.0.1:6443 and may do everything", Needs: up, Run: adminKubeconfig},
		{ID: "C-API-03", Point: "the supervisor answers on 9345 of the server's address", Needs: up, Run: supervisorAnswers},
		{ID: "C-API-04", Point: "the certificates of 6443 and 9345 hold the names of tls-san", Needs: up, Run: certificateNames},
		{ID: "C-API-05", Point: "the node of the server becomes Ready and has the roles control-plane and etcd", Needs: []string{"C-API-02"}, Run: serverNode},
	}
}

func unitRules(ctx context.Context, w *World) error {
	for _, unit := range []string{"rke2-server", "rke2-agent"} {
		said, err := w.server.show(ctx, unit, "Type", "TimeoutStartUSec", "Restart")
		if err != nil {
			return err
		}
		if err := want("for "+unit, "notify infinity always", said["Type"]+" "+said["TimeoutStartUSec"]+" "+said["Restart"]); err != nil {
			return err
		}
	}
	return nil
}

// write puts the files of a configuration on a host: their paths below configDir unless absolute.
func (h *host) write(ctx context.Context, files map[string]string) error {
	s := new(shell.Script).Add("set -e").Add("(umask 022 && mkdir -p %s %s)", configDir+"/config.yaml.d", serverDir+"/manifests")
	for name, content := range files {
		if !strings.HasPrefix(name, "/") {
			name = configDir + "/" + name
		}
		s.File(shell.File{Path: name, Content: content, Secret: true, Owner: "root:root", Mode: "0600"})
	}
	_, err := h.must(ctx, s)
	return err
}

// lead makes the endpoint's name lead to an address on a host, as cxha does it.
func (h *host) lead(ctx context.Context, address string) error {
	s := new(shell.Script).Add("set -e")
	footprint.HostsLine(s, address+" "+endpoint+footprint.HostsMark)
	_, err := h.must(ctx, s)
	return err
}

// agentConfig is an agent's config.yaml with additions.
func agentConfig(h *host, more string) string {
	return fmt.Sprintf("server: https://%s:9345\ntoken-file: %s\nnode-name: %s\nnode-ip: %s\n"+
		"node-label: [topology.kubernetes.io/zone=first, "+ownLabel+"=first]\nnode-taint: [\"conformance.cxha.io/first=yes:PreferNoSchedule\"]\n%s",
		endpoint, agentTokenFile, h.Name, h.Address, more)
}

// queue starts or restarts a unit as cxha does, and measures that it does not block.
func (h *host) queue(ctx context.Context, verb, unit string) error {
	began := time.Now()
	if _, err := h.must(ctx, new(shell.Script).Add("systemctl %s --no-block %s", verb, unit+".service")); err != nil {
		return err
	}
	if took := time.Since(began); took > quickly {
		return differs(fmt.Sprintf("systemctl %s --no-block to return within %s", verb, quickly), "%s", took.Round(time.Millisecond))
	}
	return nil
}

func startWithoutServer(ctx context.Context, w *World) error {
	h := w.agent()
	if err := h.lead(ctx, "127.0.0.1"); err != nil { // nothing listens there
		return err
	}
	if err := h.write(ctx, map[string]string{"config.yaml": agentConfig(h, ""), agentTokenFile: w.agentToken + "\n"}); err != nil {
		return err
	}
	if err := h.queue(ctx, "start", "rke2-agent"); err != nil {
		return err
	}
	return w.awaitState(ctx, h, "rke2-agent", "activating", 30*time.Second)
}

func agentWaits(ctx context.Context, w *World) error {
	h := w.agent()
	if err := w.awaitMessage(ctx, h, "rke2-agent", "connection refused"); err != nil {
		return err
	}
	return w.holds(ctx, 10*time.Second, func(ctx context.Context) error {
		seen, err := h.state(ctx, "rke2-agent")
		if err != nil {
			return err
		}
		return want("as the state of rke2-agent", "activating", seen)
	})
}

// awaitMessage waits until one of the texts is in the journal of the unit's present process or of one after it.
func (w *World) awaitMessage(ctx context.Context, h *host, unit string, texts ...string) error {
	what := fmt.Sprintf("the journal of %s says %q", unit, strings.Join(texts, `" or "`))
	return w.await(ctx, what, settleLimit, func(ctx context.Context) (string, error) {
		journal, err := h.journal(ctx, unit)
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(journal, text) }) {
			return "", nil
		}
		return "it ends with: " + lastLines(journal, 2), nil
	})
}

func enabled(ctx context.Context, w *World) error {
	return each(w.hosts(), func(h *host) error {
		if _, err := h.must(ctx, new(shell.Script).Add("systemctl enable %s", w.unit(h)+".service")); err != nil {
			return err
		}
		said, err := h.show(ctx, w.unit(h), "UnitFileState")
		if err != nil {
			return err
		}
		return want("as UnitFileState of "+w.unit(h), "enabled", said["UnitFileState"])
	})
}

// minor returns 35 of v1.35.7+rke2r1, whose form the inventory's parser has checked.
func minor(version string) int {
	n, err := strconv.Atoi(strings.Split(version, ".")[1])
	if err != nil {
		panic(fmt.Sprintf("version %s: %v", version, err))
	}
	return n
}

// firstIngressOption is the minor version from which RKE2 has the option ingress-controller (domain.md §3.1).
const firstIngressOption = 36

// serverConfig is the server's config.yaml, of which some options are overruled by its drop-ins.
func (w *World) serverConfig() string {
	disabled, more := "rke2-metrics-server, rke2-ingress-nginx", ""
	if minor(w.inv.Version) >= firstIngressOption {
		disabled, more = "rke2-metrics-server", "ingress-controller: none\n"
	}
	return fmt.Sprintf(`token-file: %s
agent-token-file: %s
node-name: %s
node-ip: %s
write-kubeconfig-mode: "0600"
cni: canal
cluster-cidr: %s
service-cidr: %s
tls-san: [%s, %s]
disable: [%s]
node-label: %s=yes
node-taint: ["node-role.kubernetes.io/control-plane=:NoSchedule"]
kube-apiserver-arg: [default-not-ready-toleration-seconds=%d]
%s`, serverTokenFile, agentTokenFile, w.server.Name, w.server.Address, podRange, serviceRange, endpoint, w.server.Address, disabled, scalarLabel, tolerateFor, more)
}

// The drop-ins: the second overrules the first and config.yaml, and adds to a list of config.yaml.
const (
	firstDropIn  = "write-kubeconfig-mode: \"0644\"\n"
	secondDropIn = "write-kubeconfig-mode: \"0640\"\ntls-san+: [" + extraName + "]\n"
)

func (w *World) serverFiles() map[string]string {
	return map[string]string{
		"config.yaml": w.serverConfig(), "config.yaml.d/50-first.yaml": firstDropIn, "config.yaml.d/60-second.yaml": secondDropIn,
		serverTokenFile: w.serverToken + "\n", agentTokenFile: w.agentToken + "\n",
		serverDir + "/manifests/conformance-first.yaml":   configMap("conformance-first"),
		serverDir + "/manifests/rke2-coredns-config.yaml": dnsConfig,
	}
}

func serverStarts(ctx context.Context, w *World) error {
	if err := w.server.write(ctx, w.serverFiles()); err != nil {
		return err
	}
	if err := w.server.queue(ctx, "start", "rke2-server"); err != nil {
		return err
	}
	return w.awaitState(ctx, w.server, "rke2-server", "active", startLimit)
}

func adminKubeconfig(ctx context.Context, w *World) error {
	text, err := w.server.sh(ctx, "cat "+kubeconfig)
	if err != nil {
		return err
	}
	config, err := clientcmd.Load([]byte(text))
	if err != nil {
		return differs("a kubeconfig in "+kubeconfig, "something that is none")
	}
	for _, cluster := range config.Clusters {
		if err := want("as the server in "+kubeconfig, "https://127.0.0.1:6443", cluster.Server); err != nil {
			return err
		}
	}
	return w.await(ctx, "the admin may do everything", settleLimit, func(ctx context.Context) (string, error) {
		missing := ""
		err := w.call(ctx, func(c *kubernetes.Clientset) error {
			review := &authv1.SelfSubjectAccessReview{Spec: authv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"},
			}}
			answer, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err == nil && !answer.Status.Allowed {
				missing = "the API server denies it: " + answer.Status.Reason
			}
			return err
		})
		return missing, err
	})
}

// handshake connects from a host and returns the certificate that is shown there.
func handshake(ctx context.Context, from *host, address string) (*x509.Certificate, error) {
	raw, err := from.conn.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: endpoint})
	defer func() { _ = conn.Close() }() // nothing was sent, only the certificate is looked at
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return conn.ConnectionState().PeerCertificates[0], nil
}

func supervisorAnswers(ctx context.Context, w *World) error {
	for _, h := range w.agents {
		if _, err := handshake(ctx, h, net.JoinHostPort(w.server.Address, "9345")); err != nil {
			return differs("TLS on port 9345 of "+w.server.Address+", seen from "+h.Name, "%v", err)
		}
	}
	return nil
}

func certificateNames(ctx context.Context, w *World) error {
	for _, address := range []string{"127.0.0.1:6443", "127.0.0.1:9345"} {
		cert, err := handshake(ctx, w.server, address)
		if err != nil {
			return err
		}
		for _, name := range []string{endpoint, w.server.Address, extraName} {
			if err := cert.VerifyHostname(name); err != nil {
				return differs("a certificate on "+address+" that holds "+name, "%v", err)
			}
		}
	}
	return nil
}

func serverNode(ctx context.Context, w *World) error {
	if err := w.awaitReady(ctx, w.server.Name); err != nil {
		return err
	}
	n, err := w.registered(ctx, w.server.Name)
	if err != nil {
		return err
	}
	for _, role := range []string{"control-plane", "etcd"} {
		if err := want("as the node's label of the role "+role, "true", n.Labels["node-role.kubernetes.io/"+role]); err != nil {
			return err
		}
	}
	return nil
}

// within reports whether a text is an address, or a range, inside a range.
func within(text, outer string) bool {
	o := netip.MustParsePrefix(outer)
	if p, err := netip.ParsePrefix(text); err == nil {
		return o.Contains(p.Addr()) && p.Bits() >= o.Bits()
	}
	a, err := netip.ParseAddr(text)
	return err == nil && o.Contains(a)
}
