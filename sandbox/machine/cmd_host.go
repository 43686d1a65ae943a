package machine

import (
	"context"
	"net/netip"
	"strings"
)

func hostCommands() map[string]Program {
	return map[string]Program{
		"hostname": cmdHostname, "uname": cmdUname, "nproc": cmdNproc, "free": cmdFree, "sync": cmdSync,
		"ip": cmdIP, "systemd-detect-virt": cmdVirt, "iptables": cmdIptables,
	}
}

func cmdHostname(_ context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("short", "s", false, "")
	all := f.BoolP("all-ip-addresses", "I", false, "")
	f.BoolP("fqdn", "f", false, "")
	if _, ok := p.parse(f); !ok {
		return 1
	}
	if *all {
		for _, a := range p.Machine.net.Addrs() {
			p.printf("%s ", a)
		}
		p.printf("\n")
		return 0
	}
	p.printf("%s\n", p.Machine.hostname())
	return 0
}

// hostname is the first line of /etc/hostname.
func (m *Machine) hostname() string {
	data, err := m.fs.ReadFile("/etc/hostname")
	if name := strings.TrimSpace(string(data)); err == nil && name != "" {
		return name
	}
	return "localhost"
}

func cmdUname(_ context.Context, p *Process) int {
	f := p.flags()
	all := f.BoolP("all", "a", false, "")
	parts := []struct {
		on    *bool
		value string
	}{
		{f.BoolP("kernel-name", "s", false, ""), "Linux"},
		{f.BoolP("nodename", "n", false, ""), p.Machine.hostname()},
		{f.BoolP("kernel-release", "r", false, ""), kernelRelease},
		{f.BoolP("kernel-version", "v", false, ""), "#1 SMP PREEMPT_DYNAMIC cxha sandbox"},
		{f.BoolP("machine", "m", false, ""), "x86_64"},
	}
	if _, ok := p.parse(f); !ok {
		return 1
	}
	var words []string
	for _, part := range parts {
		if *part.on || *all {
			words = append(words, part.value)
		}
	}
	if len(words) == 0 {
		words = []string{"Linux"}
	}
	p.printf("%s\n", strings.Join(words, " "))
	return 0
}

// cmdSync has nothing to do: what was written to the host's files is in the real kernel's hands. Files that it names have to be there.
func cmdSync(_ context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("data", "d", false, "")
	f.BoolP("file-system", "f", false, "")
	names, ok := p.parse(f)
	if !ok {
		return 1
	}
	code := 0
	for _, name := range names {
		if _, err := p.FS().Stat(p.Path(name)); err != nil {
			code = p.fail("error opening '%s': %s", name, strerror(err))
		}
	}
	return code
}

// cmdIptables exists because Canal wants the command; the sandbox has no packet filter that it could change.
func cmdIptables(_ context.Context, p *Process) int {
	if len(p.Args) == 2 && (p.Args[1] == "--version" || p.Args[1] == "-V") {
		p.printf("iptables v1.8.9 (nf_tables)\n")
		return 0
	}
	return p.fail("the sandbox has no packet filter")
}

func cmdNproc(_ context.Context, p *Process) int {
	p.printf("4\n")
	return 0
}

func cmdVirt(_ context.Context, p *Process) int {
	p.printf("kvm\n")
	return 0
}

func cmdFree(_ context.Context, p *Process) int {
	p.printf("               total        used        free      shared  buff/cache   available\n")
	p.printf("Mem:         8130012      512340     7321000        1024      296672     7442000\n")
	p.printf("Swap:              0           0           0\n")
	return 0
}

// cmdIP knows "ip addr", "ip route" and "ip neigh", long and in the one-line form of -o.
func cmdIP(_ context.Context, p *Process) int {
	var words []string
	oneLine := false
	for _, a := range p.Args[1:] {
		switch {
		case a == "-o" || a == "-oneline":
			oneLine = true
		case !strings.HasPrefix(a, "-"):
			words = append(words, a)
		}
	}
	if len(words) == 0 {
		return p.fail("an object is missing")
	}
	switch {
	case strings.HasPrefix("addr", words[0]) || words[0] == "address":
		showAddrs(p, oneLine)
		return 0
	case strings.HasPrefix("neighbour", words[0]) || strings.HasPrefix("neighbor", words[0]):
		return cmdNeigh(p, words[1:])
	case strings.HasPrefix("route", words[0]):
		showRoutes(p)
		return 0
	}
	return p.fail("Object \"%s\" is unknown to the sandbox", words[0])
}

// showRoutes has the site's router, at .254, as the way to everywhere else.
func showRoutes(p *Process) {
	for n, a := range p.Machine.net.Addrs() {
		prefix, err := a.Prefix(24)
		if err != nil {
			continue
		}
		if n == 0 {
			router := prefix.Addr().As4()
			router[3] = 254
			p.printf("default via %s dev eth0\n", netip.AddrFrom4(router))
		}
		p.printf("%s dev eth%d proto kernel scope link src %s\n", prefix, n, a)
	}
}

// showAddrs has an interface of its own for each address.
func showAddrs(p *Process, oneLine bool) {
	if oneLine {
		p.printf("1: lo    inet 127.0.0.1/8 scope host lo\n")
	} else {
		p.printf("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n    inet 127.0.0.1/8 scope host lo\n")
	}
	for n, a := range p.Machine.net.Addrs() {
		if oneLine {
			p.printf("%d: eth%d    inet %s/24 scope global eth%d\n", n+2, n, a, n)
		} else {
			p.printf("%d: eth%d: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500\n    inet %s/24 scope global eth%d\n", n+2, n, a, n)
		}
	}
}
