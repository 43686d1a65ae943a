package machine_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/expertflow/cxha/sandbox/machine"
)

func TestScriptOverSSH(t *testing.T) {
	t.Parallel()
	_, client := host(t)
	r := script(t, client, `set -eu
umask 077
id -un
( umask 022; echo x > /tmp/a )
echo y > /tmp/b
stat -c '%a %U %G' /tmp/a /tmp/b
cat <<'EOF'
$not expanded
`+"EOF\n"+`command -v curl; command -v nothing || echo none
echo "$(hostname) $(uname -m)"
for f in /etc/os-release /nonexistent; do [ -f $f ] && echo "$f is there"; done || true
systemctl is-active ssh
exit 3
`)
	want := "root\n644 root root\n600 root root\n$not expanded\n/usr/bin/curl\nnone\nw1 x86_64\n/etc/os-release is there\nactive\n"
	if r.stdout != want || r.stderr != "" || r.code != 3 {
		t.Fatalf("got %+v, want stdout %q", r, want)
	}
}

// TestThroughBastion goes the whole way of cxha: a real TCP connection to the bastion, a direct-tcpip channel to a host
// on the private network, and a tunnel through that host's connection to its loopback.
func TestThroughBastion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bastion := w.machine("bastion", "10.10.0.1", func(o *machine.Options) {
		o.Users = []machine.User{{Name: "jump", Shell: "/usr/sbin/nologin"}}
	})
	target := w.machine("w2", "10.10.2.11")
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- bastion.ServeSSH(lis) }()
	conn, err := net.Dial("tcp", lis.Addr().String())
	must(t, err)
	jump := w.handshake(conn, "jump", lis.Addr().String(), hostKey(t, bastion))
	inner, err := jump.Dial("tcp", "10.10.2.11:22")
	must(t, err)
	client := w.handshake(inner, "ops", "10.10.2.11:22", hostKey(t, target))
	if r := script(t, client, "hostname; id -un"); r.stdout != "w2\nroot\n" {
		t.Errorf("got %+v", r)
	}
	if got := target.Stats(); got != (machine.Stats{Connections: 1, Commands: 1}) {
		t.Errorf("the host counted %+v", got)
	}
	target.ResetStats()
	if got := target.Stats(); got != (machine.Stats{}) {
		t.Errorf("after a reset: %+v", got)
	}

	api, err := target.Net().Listen(6443)
	must(t, err)
	go func() {
		c, err := api.Accept()
		if err != nil {
			return
		}
		if _, err = io.Copy(c, c); err == nil {
			err = c.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}()
	tunnel, err := client.Dial("tcp", "127.0.0.1:6443")
	must(t, err)
	_, err = io.WriteString(tunnel, "echo")
	must(t, err, tunnel.(interface{ CloseWrite() error }).CloseWrite())
	if got, err := io.ReadAll(tunnel); err != nil || string(got) != "echo" {
		t.Errorf("tunnel: %q, %v", got, err)
	}
	for addr, want := range map[string]string{"10.10.2.11:81": "Connection refused", "10.10.9.9:22": "No route to host"} {
		if _, err := jump.Dial("tcp", addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
	if r := command(t, jump, "id", ""); r.code != 1 || !strings.Contains(r.stdout, "not available") {
		t.Errorf("a command on the bastion: %+v", r)
	}
	must(t, lis.Close())
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestUnknownKeyAndUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.machine("w1", "10.10.1.11")
	other := newWorld(t)
	client := w.net.Attach("client", netip.MustParseAddr("10.10.1.1"))
	for name, try := range map[string]struct {
		user string
		key  ssh.Signer
	}{"another key": {"ops", other.key}, "another user": {"nobody", w.key}, "unknown user": {"eve", w.key}} {
		conn, err := client.Dial(t.Context(), netip.MustParseAddrPort("10.10.1.11:22"))
		must(t, err)
		_, _, _, err = ssh.NewClientConn(conn, "w1", &ssh.ClientConfig{
			User: try.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(try.key)}, HostKeyCallback: ssh.FixedHostKey(hostKey(t, m)),
		})
		if err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := m.Stats().Connections; got != 0 {
		t.Errorf("%d failed logins were counted as connections", got)
	}
}

// TestAuthorizedKeysAreReadAtLogin lets a test take a key away.
func TestAuthorizedKeysAreReadAtLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.machine("w1", "10.10.1.11")
	w.login("ops", "10.10.1.1", "10.10.1.11:22", hostKey(t, m))
	must(t, m.FS().WriteFile("/home/ops/.ssh/authorized_keys", nil, 0o600))
	client := w.net.Attach("client", netip.MustParseAddr("10.10.1.2"))
	conn, err := client.Dial(t.Context(), netip.MustParseAddrPort("10.10.1.11:22"))
	must(t, err)
	config := &ssh.ClientConfig{User: "ops", Auth: []ssh.AuthMethod{ssh.PublicKeys(w.key)}, HostKeyCallback: ssh.FixedHostKey(hostKey(t, m))}
	if _, _, _, err := ssh.NewClientConn(conn, "w1", config); err == nil {
		t.Error("the removed key still opens the host")
	}
}

func TestSudo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.machine("w1", "10.10.1.11")
	ops := w.login("ops", "10.10.1.1", "10.10.1.11:22", hostKey(t, m))
	guest := w.login("guest", "10.10.1.2", "10.10.1.11:22", hostKey(t, m))
	root := w.login("root", "10.10.1.3", "10.10.1.11:22", hostKey(t, m))
	must(t, m.FS().WriteFile("/etc/token", []byte("secret\n"), 0o600))
	cases := map[string]struct {
		client *ssh.Client
		line   string
		want   result
	}{
		"ops with sudo":       {ops, "sudo -n -- cat /etc/token", result{stdout: "secret\n"}},
		"ops without":         {ops, "cat /etc/token", result{stderr: "cat: /etc/token: Permission denied\n", code: 1}},
		"ops writes /etc":     {ops, "echo x > /etc/x", result{stderr: "sh: 1: cannot create /etc/x: Permission denied\n", code: 1}},
		"ops writes at home":  {ops, "echo x > x; stat -c '%U %a' x", result{stdout: "ops 644\n"}},
		"guest may not":       {guest, "sudo -n -- id", result{stderr: "sudo: a password is required\n", code: 1}},
		"root needs no sudo":  {root, "cat /etc/token; pwd", result{stdout: "secret\n/root\n"}},
		"sudo -u":             {ops, "sudo -n -u guest id -un", result{stdout: "guest\n"}},
		"sudo sets PATH":      {ops, "sudo -n sh -c 'command -v sysctl'; command -v sysctl || echo none", result{stdout: "/usr/sbin/sysctl\nnone\n"}},
		"sudo of nothing":     {ops, "sudo -n nonsense", result{stderr: "sudo: nonsense: command not found\n", code: 1}},
		"unknown command":     {ops, "nonsense", result{stderr: "sh: 1: nonsense: not found\n", code: 127}},
		"exit code":           {ops, "exit 42", result{code: 42}},
		"stdin reaches sudo":  {ops, "sudo -n -- /bin/sh -s -- a b", result{stdout: "2\n"}},
		"environment of sudo": {ops, "sudo -n A=1 sh -c 'echo $A $USER $HOME $SUDO_USER'", result{stdout: "1 root /root ops\n"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			stdin := ""
			if name == "stdin reaches sudo" {
				stdin = "echo $#"
			}
			if got := command(t, c.client, c.line, stdin); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	console(t, m, "rm /etc/sudoers.d/90-ops")
	if r := command(t, ops, "sudo -n true", ""); r.code != 1 {
		t.Errorf("without its file in sudoers.d: %+v", r)
	}
}

// TestBrokenConnection checks what happens to a command whose client is gone: it goes on, as with the real sshd, until it
// writes.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.machine("w1", "10.10.1.11")
	for name, text := range map[string]string{
		"silent": "echo ready; sleep 0.3; echo done > /tmp/silent",
		"loud":   "echo ready; sleep 0.3; while true; do echo more; echo $? > /tmp/tried; done; echo done > /tmp/loud",
		"nohup":  "nohup sh -c 'sleep 0.3; echo done > /tmp/nohup' >/dev/null 2>&1 & echo ready; wait; echo more; echo more; echo done > /tmp/no",
	} {
		client := w.login("root", map[string]string{"silent": "10.10.1.1", "loud": "10.10.1.2", "nohup": "10.10.1.3"}[name], "10.10.1.11:22", hostKey(t, m))
		s, err := client.NewSession()
		must(t, err)
		out, err := s.StdoutPipe()
		must(t, err)
		s.Stdin = strings.NewReader(text)
		must(t, s.Start("/bin/sh -s"))
		_, err = io.ReadFull(out, make([]byte, len("ready\n")))
		must(t, err, client.Close())
	}
	eventually(t, "silent and nohup commands end", func() bool {
		_, silent := m.FS().Stat("/tmp/silent")
		_, nohup := m.FS().Stat("/tmp/nohup")
		return silent == nil && nohup == nil
	})
	// A power cut waits for everything that runs: an endless loop would be noticed.
	must(t, m.PowerOff())
	if _, err := m.FS().Stat("/tmp/loud"); err == nil {
		t.Error("the loud command went on writing to nobody")
	}
}

func TestMaxSessions(t *testing.T) {
	t.Parallel()
	_, client := host(t)
	var open []*ssh.Session
	for range 10 {
		s, err := client.NewSession()
		must(t, err)
		must(t, s.Start("sleep 100"))
		open = append(open, s)
	}
	if _, err := client.NewSession(); err == nil || !strings.Contains(err.Error(), "open failed") {
		t.Errorf("the eleventh session: %v", err)
	}
	must(t, open[0].Signal(ssh.SIGTERM))
	if err := open[0].Wait(); err == nil {
		t.Error("a signal did not end the command")
	}
	eventually(t, "a session is free again", func() bool {
		s, err := client.NewSession()
		return err == nil && s.Run("true") == nil
	})
}

func TestManySessionsAtOnce(t *testing.T) {
	t.Parallel()
	_, client := host(t)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for k := range 5 {
				text := fmt.Sprintf("set -e; f=$(mktemp); echo %d-%d > $f; mv -f $f /srv/shared; cat /srv/shared >/dev/null; echo ok", n, k)
				if r := script(t, client, text); r.stdout != "ok\n" {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	all.Wait()
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	_, client := host(t)
	s, err := client.NewSession()
	must(t, err)
	if err := s.RequestPty("xterm", 24, 80, ssh.TerminalModes{}); err == nil {
		t.Error("a terminal was given")
	}
	if err := s.RequestSubsystem("sftp"); err == nil {
		t.Error("sftp was given")
	}
	must(t, s.Setenv("LANG", "C"))
	if err := s.Setenv("LD_PRELOAD", "x"); err == nil {
		t.Error("any variable is taken")
	}
	out, err := s.Output("echo $LANG")
	if err != nil || string(out) != "C\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
		t.Errorf("keepalive: %v", err)
	}
}

func TestSessionsOutliveSshd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.machine("w1", "10.10.1.11")
	client := w.login("ops", "10.10.1.1", "10.10.1.11:22", hostKey(t, m))
	if r := script(t, client, "systemctl stop ssh; systemctl is-active ssh"); r.stdout != "inactive\n" {
		t.Errorf("got %+v", r)
	}
	if r := script(t, client, "echo alive"); r.stdout != "alive\n" {
		t.Errorf("the open connection: %+v", r)
	}
	c := w.net.Attach("client", netip.MustParseAddr("10.10.1.2"))
	if _, err := c.Dial(t.Context(), netip.MustParseAddrPort("10.10.1.11:22")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection: %v", err)
	}
}
