package machine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/expertflow/cxha/sandbox/machine"
)

// daemon is a program under the test's control.
type daemon struct {
	mu     sync.Mutex
	starts int
	causes []error // why it was told to end
	env    map[string]string

	ready chan struct{} // it says that it is ready once this is closed
	crash chan int      // it exits with this code
}

func newDaemon() *daemon {
	return &daemon{ready: make(chan struct{}), crash: make(chan int)}
}

func (d *daemon) program(ctx context.Context, p *machine.Process) int {
	d.mu.Lock()
	d.starts++
	d.env = p.Env
	ready := d.ready
	d.mu.Unlock()
	if _, err := fmt.Fprintln(p.Stdout, "hello from", strings.Join(p.Args, " ")); err != nil {
		return 1
	}
	for {
		select {
		case <-ready:
			p.Notify()
			ready = nil
		case code := <-d.crash:
			return code
		case <-ctx.Done():
			d.mu.Lock()
			d.causes = append(d.causes, context.Cause(ctx))
			d.mu.Unlock()
			return 0
		}
	}
}

func (d *daemon) started() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.starts
}

// withDaemon gives the host the program and two units for it that exclude each other, as RKE2's do.
func withDaemon(d *daemon) func(*machine.Options) {
	unit := func(name, other string) string {
		return `[Unit]
Description=The ` + name + `
[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/usr/local/lib/systemd/system/%N.env
TimeoutStartSec=0
Restart=always
RestartSec=20ms
ExecCondition=/bin/sh -xc '! systemctl is-active --quiet ` + other + `.service'
ExecStartPre=-/sbin/modprobe no_such_module
ExecStartPre=/sbin/modprobe br_netfilter
ExecStart=/usr/local/bin/app ` + name + `
ExecStopPost=-/bin/sh -c "echo post-%n"
[Install]
WantedBy=multi-user.target
`
	}
	return func(o *machine.Options) {
		o.Programs = map[string]machine.Program{"app": d.program}
		o.Files = map[string]machine.InstalledFile{
			"/usr/local/bin/app": {Text: "#!cxha-sandbox app\nversion 1\n", Mode: 0o755},
			"/usr/local/lib/systemd/system/app-server.service": {Text: unit("server", "app-agent"), Mode: 0o644},
			"/usr/local/lib/systemd/system/app-agent.service":  {Text: unit("agent", "app-server"), Mode: 0o644},
			"/usr/local/lib/systemd/system/app-server.env":     {Text: "# comment\nA=one\nB=\"two words\"\n", Mode: 0o644},
			"/etc/default/app-server":                          {Text: "A=zero\nC=three\n", Mode: 0o644},
		}
	}
}

func TestNotifyUnit(t *testing.T) {
	t.Parallel()
	d := newDaemon()
	m, client := host(t, withDaemon(d))
	r := script(t, client, `systemctl start --no-block app-server; systemctl is-active app-server; systemctl show -p SubState,Result app-server; systemctl is-enabled app-server`)
	if r.stdout != "activating\nSubState=start\nResult=success\ndisabled\n" || r.code != 1 {
		t.Errorf("while it starts: %+v", r)
	}
	done := make(chan error, 1)
	go func() { done <- m.Units().Start(t.Context(), "app-server") }()
	select {
	case err := <-done:
		t.Fatalf("start did not wait for the unit to be ready: %v", err)
	case <-time.After(20 * time.Millisecond): // long enough to notice a start that does not wait
	}
	close(d.ready)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r = script(t, client, `systemctl is-active app-server app-agent; systemctl show -p ActiveState,SubState,NRestarts,ExecMainStatus,LoadState --value app-server; cat /proc/modules | cut -d' ' -f1; journalctl -u app-server -o cat --no-pager -n 20`)
	want := "active\ninactive\nactive\nrunning\n0\n0\nloaded\nbr_netfilter\n"
	if !strings.HasPrefix(r.stdout, want) || !strings.Contains(r.stdout, "\nhello from /usr/local/bin/app server\nStarted The server.\n") {
		t.Errorf("active: %+v", r)
	}
	d.mu.Lock()
	if d.env["A"] != "one" || d.env["B"] != "two words" || d.env["C"] != "three" {
		t.Errorf("environment: %v", d.env)
	}
	d.mu.Unlock()
	if r := script(t, client, "systemctl stop app-server; systemctl is-active app-server; journalctl -u app-server -o cat -n 2"); r.stdout != "inactive\npost-app-server.service\nStopped The server.\n" {
		t.Errorf("stopped: %+v", r)
	}
	if len(d.causes) != 1 || !errors.Is(d.causes[0], machine.ErrStopped) {
		t.Errorf("the program was told %v", d.causes)
	}
}

func TestExecConditionSkipsTheOther(t *testing.T) {
	t.Parallel()
	d := newDaemon()
	close(d.ready)
	_, client := host(t, withDaemon(d))
	r := script(t, client, `systemctl start app-server && systemctl start app-agent; echo $?; systemctl is-active app-agent; systemctl show -p Result --value app-agent; journalctl -u app-agent -o cat -n 1`)
	want := "0\ninactive\nexec-condition\napp-agent.service: Skipped due to 'exec-condition'.\n"
	if r.stdout != want {
		t.Errorf("got %+v, want %q", r, want)
	}
	if d.started() != 1 {
		t.Errorf("%d starts", d.started())
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	d := newDaemon()
	close(d.ready)
	m, client := host(t, withDaemon(d))
	must(t, m.Units().Start(t.Context(), "app-server"))
	first := m.Units().Properties("app-server")["InvocationID"]
	d.crash <- 3
	eventually(t, "the unit is active again", func() bool { return d.started() == 2 && m.Units().IsActive("app-server") })
	p := m.Units().Properties("app-server")
	if p["NRestarts"] != "1" || p["ExecMainStatus"] != "3" || len(p["InvocationID"]) != 32 || p["InvocationID"] == first {
		t.Errorf("after a crash: %v", p)
	}
	r := script(t, client, `journalctl -u app-server -o cat | grep -e code= -e counter; systemctl restart app-server; systemctl show -p NRestarts --value app-server; systemctl restart --no-block app-server; echo $?`)
	want := "app-server.service: Main process exited, code=exited, status=3/FAILURE\n" +
		"app-server.service: Scheduled restart job, restart counter is at 1.\n0\n0\n"
	if r.stdout != want {
		t.Errorf("got %+v, want %q", r, want)
	}
	eventually(t, "the unit came back from restart --no-block", func() bool { return d.started() == 4 && m.Units().IsActive("app-server") })
}

func TestStartFailsButGoesOnTrying(t *testing.T) {
	t.Parallel()
	d := newDaemon()
	m, client := host(t, withDaemon(d))
	go func() { d.crash <- 1 }()
	r := script(t, client, "systemctl start app-server")
	if r.code != 1 || !strings.HasPrefix(r.stderr, "Job for app-server.service failed because the control process exited with error code.") {
		t.Errorf("got %+v", r)
	}
	close(d.ready)
	eventually(t, "the unit is active", func() bool { return m.Units().IsActive("app-server") })
}

func TestOneshotAndFailedUnits(t *testing.T) {
	t.Parallel()
	_, client := host(t)
	r := script(t, client, `
unit() { printf '[Service]\n%s\n' "$2" > /etc/systemd/system/$1.service; }
unit good 'Type=oneshot
ExecStart=/bin/sh -c "echo done"'
unit stays 'Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/touch /stopped'
unit bad 'Type=oneshot
ExecStart=/bin/sh -c "echo broken; exit 5"'
unit pre 'ExecStartPre=/bin/false
ExecStart=/bin/sleep 100'
unit slow 'Type=notify
TimeoutStartSec=50ms
ExecStart=/bin/sleep 100'
unit who 'Type=oneshot
User=ops
WorkingDirectory=/home/ops
Environment=GREETING=hi
ExecStart=/bin/sh -c "id -un; pwd; echo $GREETING > out"'
for u in good stays bad pre slow who; do
  systemctl start $u 2>/dev/null; echo "$u $? $(systemctl show -p ActiveState,SubState,Result,ExecMainStatus --value $u | tr '\n' ' ')"
done
systemctl is-failed --quiet bad; echo $?
systemctl reset-failed bad; systemctl is-active bad
systemctl stop stays; [ -e /stopped ] && echo stopped
stat -c %U /home/ops/out; cat /home/ops/out; journalctl -u who -o cat | grep -x -e ops -e /home/ops
systemctl start nothing; echo $?; systemctl is-active nothing; echo $?; systemctl is-enabled nothing; echo $?; systemctl show -p LoadState --value nothing
systemctl stop nothing; echo $?
`)
	want := `good 0 inactive dead success 0 
stays 0 active exited success 0 
bad 1 failed failed exit-code 5 
pre 1 failed failed exit-code 0 
slow 1 failed failed timeout 0 
who 0 inactive dead success 0 
0
inactive
stopped
ops
hi
ops
/home/ops
5
inactive
3
1
not-found
5
`
	if r.stdout != want {
		t.Errorf("got %s\nstderr %s\nwant %s", r.stdout, r.stderr, want)
	}
}

func TestEnableDisableMask(t *testing.T) {
	t.Parallel()
	d := newDaemon()
	close(d.ready)
	m, client := host(t, withDaemon(d))
	r := script(t, client, `exec 2>&1
systemctl enable app-server; systemctl is-enabled app-server; readlink /etc/systemd/system/multi-user.target.wants/app-server.service
systemctl enable app-server; systemctl disable --now app-server; systemctl is-enabled app-server
systemctl mask app-server; systemctl is-enabled app-server; systemctl start app-server; systemctl enable app-server
systemctl show -p LoadState --value app-server; systemctl unmask app-server; systemctl enable --now app-server; systemctl is-active app-server
systemctl list-unit-files 'app-*' --no-legend; systemctl list-unit-files --no-legend nothing.service; echo $?
`)
	link := "/etc/systemd/system/multi-user.target.wants/app-server.service"
	file := "/usr/local/lib/systemd/system/app-server.service"
	want := "Created symlink " + link + " → " + file + ".\nenabled\n" + file + "\n" +
		"Removed \"" + link + "\".\ndisabled\n" +
		"Created symlink /etc/systemd/system/app-server.service → /dev/null.\nmasked\n" +
		"Failed to start app-server.service: Unit app-server.service is masked.\n" +
		"Failed to enable unit: Unit file /etc/systemd/system/app-server.service is masked.\nmasked\n" +
		"Removed \"/etc/systemd/system/app-server.service\".\nCreated symlink " + link + " → " + file + ".\nactive\n" +
		"app-agent.service                        disabled   -\napp-server.service                       enabled    -\n1\n"
	if r.stdout != want {
		t.Errorf("got  %s\nwant %s", r.stdout, want)
	}
	must(t, m.PowerOff(), m.PowerOn(t.Context()))
	eventually(t, "an enabled unit is active after a boot", func() bool { return m.Units().IsActive("app-server") })
	if m.Units().IsActive("app-agent") {
		t.Error("a disabled unit was started")
	}
}

func TestDaemonReloadIsNeeded(t *testing.T) {
	t.Parallel()
	d := newDaemon()
	close(d.ready)
	m, client := host(t, withDaemon(d))
	must(t, m.Units().Start(t.Context(), "app-server"))
	r := script(t, client, `systemctl show -p NeedDaemonReload --value app-server
mkdir -p /etc/systemd/system/app-server.service.d
printf '[Unit]\nDescription=Changed\n' > /etc/systemd/system/app-server.service.d/x.conf; touch -d '2100-01-01' /etc/systemd/system/app-server.service.d/x.conf
systemctl show -p NeedDaemonReload --value app-server; systemctl daemon-reload; systemctl show -p NeedDaemonReload,Description app-server`)
	if want := "no\nyes\nNeedDaemonReload=no\nDescription=Changed\n"; r.stdout != want {
		t.Errorf("got %+v, want %q", r, want)
	}
}

func TestRulesOfUnitsAreShown(t *testing.T) {
	t.Parallel()
	_, client := host(t, withDaemon(newDaemon()))
	r := script(t, client, `systemctl show -p Restart,TimeoutStartUSec app-server
mkdir -p /etc/systemd/system/app-agent.service.d; printf '[Service]\nTimeoutStartSec=90\nRestart=no\n' > /etc/systemd/system/app-agent.service.d/x.conf
systemctl daemon-reload; systemctl show -p Restart,TimeoutStartUSec app-agent`)
	if want := "Restart=always\nTimeoutStartUSec=infinity\nRestart=no\nTimeoutStartUSec=1min 30s\n"; r.stdout != want {
		t.Errorf("got %+v, want %q", r, want)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	_, client := host(t, func(o *machine.Options) { o.NetworkManager = true })
	r := script(t, client, `systemctl reload NetworkManager; echo $?; journalctl -u NetworkManager -o cat -n 2; systemctl reload ssh; echo $?; systemctl stop NetworkManager; systemctl reload NetworkManager; echo $?`)
	want := "0\nconfiguration was read again\nReloaded Network Manager (sandbox).\n1\n1\n"
	if r.stdout != want {
		t.Errorf("got %+v, want %q", r, want)
	}
}

// As NetworkManager 1.42 prints it.
func TestNetworkManagerPrintsItsConfiguration(t *testing.T) {
	t.Parallel()
	m, _ := host(t, func(o *machine.Options) { o.NetworkManager = true })
	const dir = "/etc/NetworkManager/conf.d/"
	console(t, m, "mkdir -p /usr/lib/NetworkManager/conf.d; printf '[keyfile]\\nunmanaged-devices=*,except:type:wifi\\n' > /usr/lib/NetworkManager/conf.d/10-a.conf")
	console(t, m, "printf '[keyfile]\\nunmanaged-devices+=interface-name:a*;interface-name:b*\\n[device]\\nunmanaged-devices=x\\n' > "+dir+"b.conf")
	const show = "NetworkManager --print-config | sed -n '/^.keyfile/,$p'"
	if got, want := console(t, m, show).stdout, "[keyfile]\nunmanaged-devices=*,except:type:wifi,interface-name:a*,interface-name:b*\n"; got != want {
		t.Errorf("added: %q, want %q", got, want)
	}
	console(t, m, "printf '[keyfile]\\nunmanaged-devices-=interface-name:a*\\n' > "+dir+"c.conf")
	if got, want := console(t, m, show).stdout, "[keyfile]\nunmanaged-devices=*,except:type:wifi,interface-name:b*\n"; got != want {
		t.Errorf("taken out: %q, want %q", got, want)
	}
	console(t, m, "printf '[keyfile]\\nunmanaged-devices=interface-name:c\\n' > "+dir+"d.conf")
	if got, want := console(t, m, show).stdout, "[keyfile]\nunmanaged-devices=interface-name:c\n"; got != want {
		t.Errorf("replaced: %q, want %q", got, want)
	}
}

func TestUnitsNeedRoot(t *testing.T) {
	t.Parallel()
	m, client := host(t)
	r := command(t, client, "systemctl stop ssh; systemctl is-active ssh", "")
	if r.stdout != "active\n" || !strings.Contains(r.stderr, "authentication required") {
		t.Errorf("got %+v", r)
	}
	if !m.Units().IsActive("ssh") {
		t.Error("an ordinary user stopped a unit")
	}
}
