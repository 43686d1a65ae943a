package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

func packageCommands() map[string]Program {
	return map[string]Program{"dpkg-query": cmdDpkgQuery, "dpkg": cmdDpkg, "apt-get": cmdAptGet}
}

const (
	dpkgStatus  = "/var/lib/dpkg/status"
	mountHelper = "/usr/sbin/mount.nfs"
)

// distribution are the packages that a host can have: their version, and the files that come with them. Those with "installed"
// are there from the beginning.
type distribution struct {
	version   string
	installed bool
	links     []string // commands: links to the base commands' program
	unit      string   // text of the unit NAME.service, which is enabled and started; "" for none
	service   string   // the unit's name
}

func packages() map[string]distribution {
	return map[string]distribution{
		"bash": {version: "5.2.15-2+b8", installed: true}, "coreutils": {version: "9.1-1", installed: true},
		"curl": {version: "7.88.1-10+deb12u12", installed: true}, "grep": {version: "3.8-5", installed: true},
		"iproute2": {version: "6.1.0-3", installed: true}, "iptables": {version: "1.8.9-2", installed: true},
		"kmod": {version: "30+20221128-1", installed: true}, "mount": {version: "2.38.1-5+deb12u3", installed: true},
		"openssh-server": {version: "1:9.2p1-2+deb12u7", installed: true}, "systemd": {version: "252.39-1~deb12u1", installed: true},
		"tar": {version: "1.34+dfsg-1.2+deb12u1", installed: true}, "util-linux": {version: "2.38.1-5+deb12u3", installed: true},
		"nfs-common": {version: "1:2.6.2-4+deb12u1", links: []string{mountHelper, "/usr/sbin/mount.nfs4", "/usr/sbin/umount.nfs"}},
		"open-iscsi": {version: "2.1.8-1", links: []string{"/usr/sbin/iscsid", "/usr/sbin/iscsiadm"}, service: "iscsid", unit: iscsidUnit},
		"cryptsetup": {version: "2:2.6.1-4~deb12u2", links: []string{"/usr/sbin/cryptsetup"}},
		"jq":         {version: "1.6-2.1+deb12u1"},
	}
}

// statusText is the database of a fresh host.
func statusText() string {
	have := map[string]bool{}
	for name, p := range packages() {
		have[name] = p.installed
	}
	return formatStatus(have)
}

func formatStatus(have map[string]bool) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if have[name] {
			fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: %s\n\n", name, packages()[name].version)
		}
	}
	return b.String()
}

// installedPackages reads the database; a disk that was made before there was one has the fresh host's.
func (p *Process) installedPackages() (map[string]bool, error) {
	text, err := p.Machine.fs.ReadFile(dpkgStatus)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte(statusText()), nil
	}
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Package: "); ok {
			have[name] = true
		}
	}
	return have, nil
}

func cmdDpkgQuery(_ context.Context, p *Process) int {
	f := p.flags()
	show := f.BoolP("show", "W", false, "")
	status := f.BoolP("status", "s", false, "")
	format := f.StringP("showformat", "f", `${binary:Package}\t${Version}\n`, "")
	names, ok := p.parse(f)
	if !ok || !*show && !*status {
		return 2
	}
	return p.queryPackages(names, *format, *status)
}

func cmdDpkg(_ context.Context, p *Process) int {
	f := p.flags()
	status := f.BoolP("status", "s", false, "")
	names, ok := p.parse(f)
	if !ok || !*status {
		p.fail("error: the sandbox's dpkg knows only --status")
		return 2
	}
	return p.queryPackages(names, "", true)
}

func (p *Process) queryPackages(names []string, format string, status bool) int {
	have, err := p.installedPackages()
	if err != nil {
		p.failAt(dpkgStatus, err)
		return 2
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(have))
	}
	code := 0
	for _, pattern := range names {
		found := false
		for _, name := range slices.Sorted(maps.Keys(have)) {
			if matched, err := path.Match(pattern, name); err != nil || !matched {
				continue
			}
			found = true
			if status {
				p.printf("%s", formatStatus(map[string]bool{name: true}))
				continue
			}
			p.printf("%s", strings.NewReplacer(
				"${Package}", name, "${binary:Package}", name, "${Version}", packages()[name].version, "${Architecture}", "amd64",
				"${Status}", "install ok installed", "${db:Status-Status}", "installed", "${db:Status-Abbrev}", "ii ", `\n`, "\n", `\t`, "\t",
			).Replace(format))
		}
		if !found {
			code = 1
			if status {
				put(p.Stderr, "dpkg-query: package '%s' is not installed and no information is available\n", pattern)
			} else {
				put(p.Stderr, "dpkg-query: no packages found matching %s\n", pattern)
			}
		}
	}
	return code
}

// exitApt is apt-get's exit code for every error.
const exitApt = 100

// cmdAptGet installs and removes the few packages of the sandbox's distribution; there is no download.
func cmdAptGet(ctx context.Context, p *Process) int {
	f := p.flags()
	quiet := f.CountP("quiet", "q", "")
	f.BoolP("yes", "y", false, "")
	f.BoolP("assume-yes", "", false, "")
	f.Bool("no-install-recommends", false, "")
	f.Bool("purge", false, "")
	f.StringArrayP("option", "o", nil, "")
	args, ok := p.parse(f)
	if !ok || len(args) == 0 {
		return exitApt
	}
	if !p.Cred.IsRoot() {
		return p.aptFailed("Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)")
	}
	verb, names := args[0], args[1:]
	p.Machine.kernel.Lock() // as apt's own lock: one at a time
	defer p.Machine.kernel.Unlock()
	have, err := p.installedPackages()
	if err != nil {
		return p.aptFailed("%s", strerror(err))
	}
	for _, name := range names {
		if _, ok := packages()[name]; !ok {
			return p.aptFailed("Unable to locate package %s", name)
		}
	}
	switch verb {
	case "update":
		return 0
	case "install":
		return p.changePackages(ctx, names, have, true, *quiet > 1)
	case "remove", "purge":
		return p.changePackages(ctx, names, have, false, *quiet > 1)
	}
	return p.aptFailed("Invalid operation %s", verb)
}

func (p *Process) aptFailed(format string, args ...any) int {
	put(p.Stderr, "E: "+format+"\n", args...)
	return exitApt
}

func (p *Process) changePackages(ctx context.Context, names []string, have map[string]bool, install, quiet bool) int {
	for _, name := range names {
		if have[name] == install {
			if install && !quiet {
				p.printf("%s is already the newest version (%s).\n", name, packages()[name].version)
			}
			continue
		}
		have[name] = install
		if err := p.Machine.changePackage(ctx, packages()[name], install); err != nil {
			return p.aptFailed("%s: %s", name, strerror(err))
		}
		if install && !quiet {
			p.printf("Setting up %s (%s) ...\n", name, packages()[name].version)
		}
	}
	fsys := p.Machine.fs
	if err := fsys.MkdirAll(path.Dir(dpkgStatus), 0o755); err != nil {
		return p.aptFailed("%s", strerror(err))
	}
	if err := fsys.WriteFile(dpkgStatus, []byte(formatStatus(have)), 0o644); err != nil {
		return p.aptFailed("%s", strerror(err))
	}
	return 0
}

// changePackage makes or removes a package's commands.
func (m *Machine) changePackage(ctx context.Context, d distribution, install bool) error {
	for _, link := range d.links {
		var err error
		if install {
			err = m.fs.Symlink("../lib/cxha-sandbox/commands", link)
		} else {
			err = m.fs.Remove(link)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if d.service == "" {
		return nil
	}
	return m.changeService(ctx, d, install)
}

// changeService makes a package's unit, enables and starts it, as Debian does; or stops and removes it.
func (m *Machine) changeService(ctx context.Context, d distribution, install bool) error {
	file := "/usr/lib/systemd/system/" + d.service + ".service"
	quiet := func(string) {}
	if install {
		return errors.Join(m.fs.WriteFile(file, []byte(d.unit), 0o644), m.units.Enable(d.service, quiet), m.units.Start(ctx, d.service))
	}
	err := errors.Join(m.units.Stop(ctx, d.service), m.units.Disable(d.service, quiet))
	return errors.Join(err, m.fs.Remove(file))
}
