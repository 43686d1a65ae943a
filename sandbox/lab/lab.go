//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/expertflow/cxha/sandbox/site"
)

// imagesInHost is where hosts see the archives of images that stand for the registries of the internet.
const imagesInHost = "/usr/share/cxha-lab/images"

// Config says what a lab is made of.
type Config struct {
	Dir     string
	Workers int
	Base    string       // the base system of all hosts: what EnsureBase returned
	Example string       // directory of the blueprint to copy; empty for none
	Images  string       // directory with archives of images for all hosts; empty for none
	Mirror  http.Handler // what mirror.sandbox.internal serves; nil for nothing
	Charts  http.Handler // charts for the operator's computer, on 127.0.0.1; nil for none
}

// Lab is a running lab.
type Lab struct {
	config     Config
	paths      site.Paths
	key        string // the line for authorized_keys
	kernel     string
	hasModules bool
	layout     []site.Host
	hosts      []*host // the bastion is the last
	groups     []string
	spawner    *spawner
	router     *namespace
	outside    *namespace
	mirror     *http.Server
	mirrorAt   *namespace
	watcher    watcher
	charts     *site.ChartServer // nil when there are no charts
	bastion    *door
	api        *door
	serving    sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	foreign map[netip.Addr]*namespace
	links   []link
	ending  bool
	// controlPlane is the host whose API server the operator talks to.
	controlPlane netip.Addr
}

// Open builds the lab in its directory and boots all hosts. It returns when every host's SSH server answers.
func Open(ctx context.Context, config Config) (*Lab, error) {
	paths, err := site.NewPaths(config.Dir)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(paths.Dir+config.Base, ",:\\\"") {
		return nil, fmt.Errorf("directory %s: a comma, colon, quote or backslash in its name would come between the options of the hosts' file systems", paths.Dir)
	}
	layout, err := site.Layout(config.Workers)
	if err != nil {
		return nil, err
	}
	l := &Lab{config: config, paths: paths, layout: layout, foreign: map[netip.Addr]*namespace{}}
	for _, h := range append(layout[:len(layout):len(layout)], site.Bastion()) {
		l.hosts = append(l.hosts, &host{Host: h, lab: l, since: time.Now()})
	}
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) open(ctx context.Context) error {
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"leftovers", func(ctx context.Context) error { return Clean(ctx, l.paths) }}, {"kernel", l.prepareKernel}, {"keys", l.makeKeys}, {"control groups", l.makeGroups}, {"network", l.makeNetwork},
		{"ports", l.openDoors}, {"files", l.writeFiles}, {"mirror", l.serveMirror}, {"hosts", l.bootAll},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// hostLimits are limits of the machine's kernel that all hosts share: systemd alone takes a dozen instances of inotify on each.
var hostLimits = map[string]int{"/proc/sys/fs/inotify/max_user_instances": 8192, "/proc/sys/fs/inotify/max_user_watches": 1 << 20}

// prepareKernel looks what the kernel is and raises the limits that are too low for many hosts; they stay raised.
func (l *Lab) prepareKernel(context.Context) error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	l.kernel = unix.ByteSliceToString(uts.Release[:])
	_, err := os.Stat(filepath.Join("/lib/modules", l.kernel, "modules.dep"))
	l.hasModules = err == nil
	for name, wanted := range hostLimits {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || n >= wanted {
			continue
		}
		if err := os.WriteFile(name, []byte(strconv.Itoa(wanted)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) makeKeys(context.Context) (err error) {
	l.key, err = l.paths.EnsureClientKey()
	return err
}

func (l *Lab) makeNetwork(ctx context.Context) (err error) {
	l.spawner = newSpawner()
	if l.router, err = newRouter(ctx); err != nil {
		return err
	}
	if l.outside, err = l.addMachine(ctx, "client", ownHardware, outsideAddress); err != nil {
		return err
	}
	if l.mirrorAt, err = l.addMachine(ctx, "mirror", ownHardware, site.MirrorAddress); err != nil {
		return err
	}
	l.watcher.ns, err = l.addMachine(ctx, "watcher", ownHardware, watcherAddress)
	return err
}

// openDoors takes the ports on 127.0.0.1: those from before if they are still free.
func (l *Lab) openDoors(ctx context.Context) (err error) {
	old, err := l.paths.ReadState()
	if err != nil {
		return err
	}
	bastion := net.JoinHostPort(site.BastionAddress.String(), "22")
	if l.bastion, err = openDoor(l, old.BastionPort, func() string { return bastion }); err != nil {
		return err
	}
	if l.api, err = openDoor(l, old.APIPort, l.apiServer); err != nil {
		return err
	}
	if l.config.Charts != nil {
		if l.charts, err = site.ServeCharts(l.config.Charts, old.ChartsPort); err != nil {
			return err
		}
	}
	return l.paths.WriteState(site.State{Workers: l.config.Workers, BastionPort: l.bastion.port, APIPort: l.api.port, ChartsPort: l.charts.Port()})
}

func (l *Lab) serveMirror(ctx context.Context) error {
	if l.config.Mirror == nil {
		return nil
	}
	lis, err := l.mirrorAt.listen(ctx, net.JoinHostPort(site.MirrorAddress.String(), "80"))
	if err != nil {
		return err
	}
	l.mirror = &http.Server{Handler: l.config.Mirror, ReadHeaderTimeout: 30 * time.Second}
	l.serving.Go(func() {
		if err := l.mirror.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
			l.report(fmt.Errorf("release mirror: %w", err))
		}
	})
	return nil
}

// bootAll boots all hosts at once.
func (l *Lab) bootAll(ctx context.Context) error {
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	for _, h := range l.hosts {
		all.Go(func() {
			if err := h.powerOn(ctx); err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

// Close cuts the power of all hosts and frees everything; the files stay.
func (l *Lab) Close() error {
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	var failed error
	for _, d := range []*door{l.bastion, l.api} {
		if d != nil {
			failed = errors.Join(failed, d.close())
		}
	}
	if l.charts != nil {
		failed = errors.Join(failed, l.charts.Close())
	}
	if l.mirror != nil {
		failed = errors.Join(failed, l.mirror.Close())
	}
	var all sync.WaitGroup
	errs := make([]error, len(l.hosts))
	for n, h := range l.hosts {
		all.Go(func() { errs[n] = h.powerOff() })
	}
	all.Wait()
	failed = errors.Join(append(errs, failed)...)
	l.serving.Wait()
	if l.spawner != nil {
		l.spawner.close()
	}
	for _, ns := range l.foreign {
		failed = errors.Join(failed, ns.close())
	}
	for _, ns := range []*namespace{l.watcher.ns, l.mirrorAt, l.outside, l.router} {
		if ns != nil {
			failed = errors.Join(failed, ns.close())
		}
	}
	return errors.Join(failed, removeGroup(context.Background(), l.groups))
}

func (l *Lab) closing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ending
}

// report tells in the server's log what nobody waits for.
func (l *Lab) report(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s %v\n", time.Now().UTC().Format(time.TimeOnly), err)
	}
}

// find finds a host by name.
func (l *Lab) find(name string) (*host, error) {
	for _, h := range l.hosts {
		if h.Name == name {
			return h, nil
		}
	}
	return nil, site.UnknownHost(name, l.layout)
}
