//go:build linux

package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/expertflow/cxha/sandbox/site"
)

// rebootStatus is how systemd-nspawn ends when its host wants to boot again.
const rebootStatus = 133

// bootPatience is how long a host may take to answer on a machine that is busy with others.
const bootPatience = 2 * time.Minute

// host is one real host.
type host struct {
	site.Host
	lab *Lab

	// work is held while the host is being powered on or off.
	work sync.Mutex

	mu     sync.Mutex // guards the fields below
	ns     *namespace
	proc   *os.Process   // systemd-nspawn; nil while the power is off
	ended  chan struct{} // closed when the process has ended and everything of it is freed
	groups []string
	cut    bool
	shaped bool      // its lines have classes for slow links
	since  time.Time // connections and commands are counted from here
}

func (h *host) addresses() []netip.Addr {
	if h.Stretched.IsValid() {
		return []netip.Addr{h.Address, h.Stretched}
	}
	return []netip.Addr{h.Address}
}

// power is whether the host has power, with its nspawn process.
func (h *host) power() (*os.Process, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.proc, h.proc != nil
}

// powerOn boots the host and returns when its SSH server answers; a host with power is left alone. A host whose line is cut is not
// waited for.
func (h *host) powerOn(ctx context.Context) error {
	h.work.Lock()
	defer h.work.Unlock()
	if _, on := h.power(); on {
		return nil
	}
	if h.lab.closing() {
		return fmt.Errorf("host %s: the lab is ending", h.Name)
	}
	if err := h.boot(ctx); err != nil {
		return err
	}
	return h.awaitSSH(ctx)
}

// boot starts the host's process, with a new network namespace: of the old one nothing is left, as after a real boot.
func (h *host) boot(ctx context.Context) error {
	if err := h.prepareFiles(ctx); err != nil {
		return fmt.Errorf("host %s: %w", h.Name, err)
	}
	ns, err := newNamespace()
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ns = ns
	if h.groups, err = makeGroup(h.lab.groups, h.Name); err != nil {
		return errors.Join(err, ns.close())
	}
	h.shaped = false
	if err := h.lab.plug(ctx, h.Name, ns, ownHardware, h.cut, h.addresses()...); err != nil {
		return errors.Join(err, ns.close())
	}
	if err := h.lab.shape(ctx, h); err != nil {
		return errors.Join(err, ns.close())
	}
	console, err := os.OpenFile(filepath.Join(h.lab.paths.Host(h.Name), "console.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return errors.Join(err, ns.close())
	}
	cmd := h.bootCommand(h.groups)
	cmd.Stdout, cmd.Stderr = console, console
	if err := h.lab.spawner.start(cmd); err != nil {
		return errors.Join(fmt.Errorf("host %s: %w", h.Name, err), console.Close(), ns.close())
	}
	h.proc, h.ended = cmd.Process, make(chan struct{})
	h.lab.serving.Go(func() { h.follow(cmd, console, h.ended) })
	return nil
}

// follow waits for the end of the host's process, frees what it had, and boots it again if that is why it ended.
func (h *host) follow(cmd *exec.Cmd, console io.Closer, ended chan struct{}) {
	err := cmd.Wait()
	reboot := cmd.ProcessState.ExitCode() == rebootStatus
	if err != nil && cmd.ProcessState.Exited() && !reboot {
		h.lab.report(fmt.Errorf("host %s: systemd-nspawn: %w; see %s", h.Name, err, filepath.Join(h.lab.paths.Host(h.Name), "console.log")))
	}
	ctx := context.Background()
	h.mu.Lock()
	h.lab.report(errors.Join(console.Close(), h.lab.unplug(ctx, h.Name, len(h.addresses())), h.ns.close(), removeGroup(ctx, h.groups)))
	again := reboot && !h.lab.closing()
	h.ns = nil
	if !again {
		h.proc = nil
	}
	h.mu.Unlock()
	if again { // its power counts as on meanwhile: whoever kills it waits, and looks again
		if err := h.boot(ctx); err != nil {
			h.lab.report(err)
			h.mu.Lock()
			h.proc = nil
			h.mu.Unlock()
		}
	}
	close(ended)
}

// powerOff kills the host's first process, and with it everything on the host; nobody is told and nothing is flushed.
func (h *host) powerOff() error {
	h.work.Lock()
	defer h.work.Unlock()
	for {
		h.mu.Lock()
		proc, ended := h.proc, h.ended
		h.mu.Unlock()
		if proc == nil {
			return nil
		}
		if err := proc.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("host %s: %w", h.Name, err)
		}
		<-ended // and look again: it may have been about to boot again
	}
}

// reboot has the host boot again as its own administrator would, and returns when it answers.
func (h *host) reboot(ctx context.Context) error {
	h.work.Lock()
	defer h.work.Unlock()
	h.mu.Lock()
	proc, ended := h.proc, h.ended
	h.mu.Unlock()
	if proc == nil {
		return fmt.Errorf("host %s: its power is off", h.Name)
	}
	res, err := h.exec(ctx, site.ExecRequest{Command: "systemctl reboot"})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("systemctl reboot: exit status %d: %s", res.Code, res.Stderr)
	}
	if err != nil {
		return fmt.Errorf("host %s: %w", h.Name, err)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("host %s: it does not go down: %w", h.Name, ctx.Err())
	case <-time.After(bootPatience):
		return fmt.Errorf("host %s: it has not gone down within %s", h.Name, bootPatience)
	}
	return h.awaitSSH(ctx)
}

// setCut takes the host's lines down or up where they are plugged in.
func (h *host) setCut(ctx context.Context, cut bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cut = cut
	if h.ns == nil {
		return nil
	}
	state := "up"
	if cut {
		state = "down"
	}
	var lines []string
	for n := range h.addresses() {
		lines = append(lines, "link set "+port(h.Name, n)+" "+state)
	}
	return h.lab.router.ip(ctx, lines...)
}

// awaitSSH polls until the host's SSH server says its name.
func (h *host) awaitSSH(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		h.mu.Lock()
		cut, on := h.cut, h.proc != nil
		h.mu.Unlock()
		if cut {
			return nil
		}
		if !on {
			return fmt.Errorf("host %s: it ended while it booted; see %s", h.Name, filepath.Join(h.lab.paths.Host(h.Name), "console.log"))
		}
		err := h.greet(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("host %s: its SSH server does not answer: %w", h.Name, err)
		}
	}
}

func (h *host) greet(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := h.lab.outside.dial(ctx, net.JoinHostPort(h.Address.String(), "22"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	banner, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(banner, "SSH-2.0-") {
		err = fmt.Errorf("strange greeting %q", banner)
	}
	return err
}
