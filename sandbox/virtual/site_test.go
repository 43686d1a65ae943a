package virtual_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/expertflow/cxha/sandbox/site"
	"github.com/expertflow/cxha/sandbox/virtual"
)

// mirror stands for the release mirror.
var mirror = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if _, err := fmt.Fprintf(w, "mirror %s\n", r.URL.Path); err != nil {
		return // the client is gone
	}
})

// example makes a small blueprint to copy.
func example(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"cluster.cxha.hcl": "cluster \"cx\" {}\n", "README.md": "no", "want.plan": "no", "real.auto.cxhavars": "no",
		"values/nginx.yaml": "a: 1\n",
	} {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, dir string, workers int) *virtual.Site {
	t.Helper()
	s, err := virtual.Open(t.Context(), virtual.Config{Dir: dir, Workers: workers, Example: example(t), Mirror: mirror})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// login opens a connection to a host as the blueprint says: through the bastion, with both keys checked.
func login(t *testing.T, p site.Paths, port int, address string) *ssh.Client {
	t.Helper()
	pem, err := os.ReadFile(p.ClientKey())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	known, err := knownhosts.New(p.KnownHosts())
	if err != nil {
		t.Fatal(err)
	}
	config := func(user string) *ssh.ClientConfig {
		return &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: known}
	}
	jump, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), config("jump"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := jump.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Log(err)
		}
	})
	conn, err := jump.Dial("tcp", address+":22")
	if err != nil {
		t.Fatal(err)
	}
	// knownhosts wants a remote address that it can parse.
	c, chans, reqs, err := ssh.NewClientConn(conn, address+":22", config("ops"))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.NewClient(c, chans, reqs)
}

func output(t *testing.T, c *ssh.Client, script string) string {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	s.Stdin = strings.NewReader(script)
	out, err := s.CombinedOutput("sudo -n -- /bin/sh -s")
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return string(out)
}

func doAction(ctx context.Context, c *site.Client, verb string, args ...string) error {
	_, err := c.Do(ctx, verb, args...)
	return err
}

func status(t *testing.T, s *virtual.Site) site.Status {
	t.Helper()
	st, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestSite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 3)
	client := login(t, s.Paths(), s.Port(), "10.10.2.11")
	got := output(t, client, "hostname; hostname -I; curl -sf http://mirror.sandbox.internal/install.sh; systemctl is-active NetworkManager ufw")
	if want := "w2\n10.10.2.11 10.10.3.12 \nmirror /install.sh\nactive\ninactive\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	st := status(t, s)
	var lines []string
	for _, h := range st.Hosts {
		lines = append(lines, fmt.Sprint(h.Name, " ", h.Address, " ", h.Site, " ", h.Power, " ", h.Network, " ", h.Connections, " ", h.Commands, " ", h.Units))
	}
	want := []string{
		"cp1 10.10.1.10 a on up 0 0 map[]", "w1 10.10.1.11 a on up 0 0 map[ufw:active]",
		"w2 10.10.2.11 b on up 1 1 map[NetworkManager:active]", "w3 10.10.1.12 a on up 0 0 map[]",
		"bastion 10.10.0.1  on up 1 0 map[]",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("status:\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if _, err := s.Kubeconfig(); err == nil {
		t.Error("there is a kubeconfig without Kubernetes")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestBlueprintDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 0)
	port := s.Port()
	blueprint := s.Paths().Blueprint()
	var names []string
	err := filepath.WalkDir(blueprint, func(name string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, rerr := filepath.Rel(blueprint, name)
			names, err = append(names, rel), rerr
		}
		return err
	})
	if got := strings.Join(names, " "); err != nil || got != "cluster.cxha.hcl sandbox.auto.cxhavars values/nginx.yaml" {
		t.Errorf("files: %s, %v", got, err)
	}
	vars, err := os.ReadFile(filepath.Join(blueprint, "sandbox.auto.cxhavars"))
	for _, want := range []string{
		`user        = "ops"`, `key         = "../ssh/id_ed25519"`, `known_hosts = "../ssh/known_hosts"`,
		fmt.Sprintf("port    = %d", port), `user    = "jump"`, `script    = "http://mirror.sandbox.internal/install.sh"`,
	} {
		if err != nil || !strings.Contains(string(vars), want) {
			t.Errorf("variables lack %s: %v", want, err)
		}
	}
	edited := filepath.Join(blueprint, "cluster.cxha.hcl")
	if err := errors.Join(os.WriteFile(edited, []byte("mine"), 0o644), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, 0)
	if data, err := os.ReadFile(edited); err != nil || string(data) != "mine" {
		t.Errorf("an edited blueprint became %q, %v", data, err)
	}
	if s.Port() != port {
		t.Errorf("the bastion moved from port %d to %d", port, s.Port())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenWithPortTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port()))
	if err != nil {
		t.Skipf("somebody took the port first: %v", err)
	}
	t.Cleanup(func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	})
	again := open(t, dir, 0)
	if again.Port() == s.Port() {
		t.Error("two listeners on one port")
	}
	output(t, login(t, again.Paths(), again.Port(), "10.10.1.10"), "true") // with the new known_hosts
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// serve runs the server of a directory in this process.
func serve(t *testing.T, dir string) (p site.Paths, start func() (<-chan struct{}, error), result <-chan error) {
	t.Helper()
	p, err := site.NewPaths(dir)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	start = func() (<-chan struct{}, error) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			done <- site.Serve(context.Background(), p, func(ctx context.Context) (site.World, error) {
				return virtual.Open(ctx, virtual.Config{Dir: dir, Workers: 1, Mirror: mirror})
			})
		}()
		return ended, nil
	}
	return p, start, done
}

func TestControl(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	p, start, result := serve(t, dir)
	client := site.NewClient(p)
	if _, err := client.Status(ctx); !errors.Is(err, site.ErrNotRunning) {
		t.Errorf("status of nothing: %v", err)
	}
	if _, started, err := site.Up(ctx, p, start); err != nil || !started {
		t.Fatalf("up: %v, %v", started, err)
	}
	if _, started, err := site.Up(ctx, p, start); err != nil || started {
		t.Errorf("second up: %v, %v", started, err)
	}
	if err := site.Serve(ctx, p, nil); !errors.Is(err, site.ErrRunning) {
		t.Errorf("second server: %v", err)
	}
	res, err := client.Exec(ctx, "w1", site.ExecRequest{Command: "cat; echo err >&2; exit 7", Stdin: []byte("in")})
	if err != nil || string(res.Stdout) != "in" || string(res.Stderr) != "err\n" || res.Code != 7 {
		t.Errorf("exec: %+v, %v", res, err)
	}
	for _, host := range []string{"w9", "../x"} {
		if err := doAction(ctx, client, site.Kill, host); !errors.Is(err, site.ErrUnknownHost) {
			t.Errorf("kill %s: %v", host, err)
		}
	}
	for _, step := range []struct{ verb, power, network string }{
		{"kill", "off", "up"}, {"kill", "off", "up"}, {"start", "on", "up"}, {"cut", "on", "cut"}, {"mend", "on", "up"},
	} {
		if err := doAction(ctx, client, step.verb, "w1"); err != nil {
			t.Errorf("%s: %v", step.verb, err)
		}
		st, err := client.Status(ctx)
		if err != nil || st.Hosts[1].Power != step.power || st.Hosts[1].Network != step.network {
			t.Errorf("after %s: %+v, %v", step.verb, st.Hosts, err)
		}
	}
	if err := doAction(ctx, client, site.Kill, "w1"); err != nil {
		t.Error(err)
	}
	if _, err := client.Exec(ctx, "w1", site.ExecRequest{Command: "true"}); err == nil || !strings.Contains(err.Error(), "power is off") {
		t.Errorf("exec on a dead host: %v", err)
	}
	if wasUp, err := site.Down(ctx, p); !wasUp || err != nil {
		t.Errorf("down: %v, %v", wasUp, err)
	}
	if err := <-result; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if wasUp, err := site.Down(ctx, p); wasUp || err != nil {
		t.Errorf("second down: %v, %v", wasUp, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "mine" {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestLongPathsHaveASocketToo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-directory-name/", 8))
	p, start, result := serve(t, dir)
	if _, _, err := site.Up(t.Context(), p, start); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Down(t.Context(), p); err != nil {
		t.Error(err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}
