package machine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path"
	"strings"
	"syscall"
	"time"
)

func mountCommands() map[string]Program {
	return map[string]Program{"mount": cmdMount, "umount": cmdUmount, "mountpoint": cmdMountpoint}
}

const (
	nfsPort = 2049
	// exitMount is mount's exit code for a mount that failed.
	exitMount = 32
	// nfsWait is how long a mount waits for a server that does not answer; Linux waits some minutes.
	nfsWait = 3 * time.Second
)

// cmdMount shows what is mounted, or mounts an NFS export.
func cmdMount(ctx context.Context, p *Process) int {
	f := p.flags()
	kind := f.StringP("types", "t", "", "")
	options := f.StringSliceP("options", "o", nil, "")
	f.BoolP("verbose", "v", false, "")
	args, ok := p.parse(f)
	switch {
	case !ok:
		return 1
	case len(args) == 0:
		p.printf("/dev/vda1 on / type ext4 (rw,relatime)\n")
		for _, m := range p.Machine.mountTable() {
			p.printf("%s on %s type %s (%s)\n", m.source, m.point, m.kind, m.options)
		}
		return 0
	case len(args) != 2:
		return p.fail("bad usage")
	}
	source, point := args[0], path.Clean(p.Path(args[1]))
	if !p.Cred.IsRoot() {
		return p.mountFailed("%s: must be superuser to use mount.", args[1])
	}
	server, export, remote := strings.Cut(source, ":")
	if *kind == "" && remote {
		*kind = "nfs"
	}
	if *kind != "nfs" && *kind != "nfs4" || !remote {
		return p.mountFailed("%s: unknown filesystem type '%s'.", args[1], *kind)
	}
	if info, err := p.FS().Stat(point); err != nil || !info.IsDir() {
		return p.mountFailed("%s: mount point does not exist.", args[1])
	}
	if _, err := p.Machine.fs.Stat(mountHelper); err != nil {
		p.mountFailed("%s: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.", args[1])
		put(p.Stderr, "       dmesg(1) may have more information after failed mount system call.\n")
		return exitMount
	}
	one := mounted{source: source, point: point, kind: "nfs4", options: strings.Join(append([]string{"rw", "relatime"}, *options...), ",")}
	if err := p.attach(ctx, one, server, export); err != nil {
		put(p.Stderr, "%s\n", err)
		return exitMount
	}
	return 0
}

func (p *Process) mountFailed(format string, args ...any) int {
	p.fail(format, args...)
	return exitMount
}

// attach asks the server, and mounts. Errors are mount.nfs' own lines.
func (p *Process) attach(ctx context.Context, one mounted, server, export string) error {
	addr, err := p.Machine.Resolve(server)
	if err != nil {
		return errors.New("mount.nfs: Failed to resolve server " + server + ": Name or service not known")
	}
	ctx, cancel := context.WithTimeout(ctx, nfsWait)
	defer cancel()
	conn, err := p.Machine.net.Dial(ctx, netip.AddrPortFrom(addr, nfsPort))
	if errors.Is(err, syscall.ECONNREFUSED) {
		return errNFSRefused
	}
	if err != nil {
		return errNFSTimeout
	}
	closeConn(conn)
	if p.Machine.exports == nil {
		return errNFSDenied(server, export)
	}
	files, sub, err := p.Machine.exports.find(addr.String(), export)
	if err != nil {
		return err
	}
	if _, err := files.Stat(sub); err != nil {
		return errors.New("mount.nfs: mounting " + one.source + " failed, reason given by server: No such file or directory")
	}
	one.disk, one.sub = files.disk, sub
	if err := p.Machine.mount(one); errors.Is(err, syscall.EBUSY) {
		return errors.New("mount.nfs: " + one.point + " is busy or already mounted or sharecache fail")
	} else if err != nil {
		return errors.New("mount.nfs: " + strerror(err))
	}
	return nil
}

// closeConn closes a connection that was only a question.
func closeConn(conn net.Conn) {
	if err := conn.Close(); err != nil {
		return // the answer is known
	}
}

func cmdUmount(_ context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("lazy", "l", false, "")
	f.BoolP("force", "f", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) == 0 {
		return 1
	}
	code := 0
	for _, name := range args {
		if !p.Cred.IsRoot() {
			code = p.mountFailed("%s: must be superuser to unmount.", name)
			continue
		}
		done, err := p.Machine.unmount(path.Clean(p.Path(name)))
		switch {
		case err != nil:
			code = p.mountFailed("%s: %s", name, strerror(err))
		case !done:
			code = p.mountFailed("%s: not mounted.", name)
		}
	}
	return code
}

func cmdMountpoint(_ context.Context, p *Process) int {
	f := p.flags()
	quiet := f.BoolP("quiet", "q", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) != 1 {
		return 1
	}
	name := path.Clean(p.Path(args[0]))
	if _, err := p.FS().Stat(name); err != nil {
		if !*quiet {
			p.failAt(args[0], err)
		}
		return 1
	}
	if name == "/" || name == "/proc" || name == "/sys" || p.FS().mountPoint(name) == name {
		if !*quiet {
			p.printf("%s is a mountpoint\n", args[0])
		}
		return 0
	}
	if !*quiet {
		p.printf("%s is not a mountpoint\n", args[0])
	}
	return exitMount
}
