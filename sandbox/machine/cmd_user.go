package machine

import (
	"context"
	"slices"
	"strings"
)

func userCommands() map[string]Program {
	return map[string]Program{"id": cmdID, "whoami": cmdWhoami, "sudo": cmdSudo, "getent": cmdGetent, "useradd": cmdUseradd}
}

func cmdWhoami(_ context.Context, p *Process) int {
	p.printf("%s\n", p.Cred.User)
	return 0
}

func cmdID(_ context.Context, p *Process) int {
	f := p.flags()
	user, group := f.BoolP("user", "u", false, ""), f.BoolP("group", "g", false, "")
	groups, names := f.BoolP("groups", "G", false, ""), f.BoolP("name", "n", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	c := p.Cred
	if len(args) > 0 {
		if c, _, ok = p.Machine.cred(args[0]); !ok {
			return p.fail("'%s': no such user", args[0])
		}
	}
	uid, gid := p.Machine.ids(c)
	gids := make([]string, len(c.Groups))
	for n, g := range c.Groups {
		gids[n] = p.Machine.gid(g)
	}
	switch {
	case *user && *names:
		p.printf("%s\n", c.User)
	case *user:
		p.printf("%s\n", uid)
	case *group && *names:
		p.printf("%s\n", c.Group())
	case *group:
		p.printf("%s\n", gid)
	case *groups && *names:
		p.printf("%s\n", strings.Join(c.Groups, " "))
	case *groups:
		p.printf("%s\n", strings.Join(gids, " "))
	default:
		for n := range gids {
			gids[n] += "(" + c.Groups[n] + ")"
		}
		p.printf("uid=%s(%s) gid=%s(%s) groups=%s\n", uid, c.User, gid, c.Group(), strings.Join(gids, ","))
	}
	return 0
}

// cmdSudo runs a command as root, or as -u USER, for users that the host's sudoers files let do so without a password.
func cmdSudo(ctx context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("non-interactive", "n", false, "")
	f.BoolP("set-home", "H", false, "")
	keepEnv := f.BoolP("preserve-env", "E", false, "")
	target := f.StringP("user", "u", "root", "")
	args, ok := p.parseLeading(f)
	if !ok {
		return 1
	}
	if !p.Machine.sudoAllowed(p.Cred) {
		return p.fail("a password is required")
	}
	cred, u, ok := p.Machine.cred(*target)
	if !ok {
		return p.fail("unknown user %s", *target)
	}
	child := p.child(args...)
	child.Cred = cred
	env := loginEnv(u)
	env[umaskVar] = p.Env[umaskVar]
	env["SUDO_USER"] = p.Cred.User
	if *keepEnv {
		for k, v := range p.Env {
			if _, ok := env[k]; !ok {
				env[k] = v
			}
		}
	}
	for len(child.Args) > 0 && strings.Contains(child.Args[0], "=") && !strings.HasPrefix(child.Args[0], "/") {
		name, value, _ := strings.Cut(child.Args[0], "=")
		env[name] = value
		child.Args = child.Args[1:]
	}
	if len(child.Args) == 0 {
		return p.fail("a command is missing")
	}
	child.Env = env
	if _, err := p.Machine.lookPath(child, child.Args[0]); err == errNotFound {
		return p.fail("%s: command not found", child.Args[0])
	}
	return p.Machine.run(ctx, child)
}

// sudoAllowed reads /etc/sudoers and /etc/sudoers.d for a line that gives everything without a password to the user or
// one of the groups.
func (m *Machine) sudoAllowed(c Cred) bool {
	if c.IsRoot() {
		return true
	}
	files := []string{"/etc/sudoers"}
	if entries, err := m.fs.ReadDir("/etc/sudoers.d"); err == nil {
		for _, e := range entries {
			files = append(files, "/etc/sudoers.d/"+e.Name())
		}
	}
	for _, name := range files {
		data, err := m.fs.ReadFile(name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			who, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			group, isGroup := strings.CutPrefix(who, "%")
			if (who == c.User || isGroup && slices.Contains(c.Groups, group)) && strings.Contains(rest, "NOPASSWD:") &&
				strings.HasSuffix(strings.TrimSpace(rest), "ALL") {
				return true
			}
		}
	}
	return false
}

func cmdGetent(_ context.Context, p *Process) int {
	if len(p.Args) < 2 {
		return p.fail("wrong number of arguments")
	}
	file := "/etc/" + p.Args[1]
	keys := p.Args[2:]
	switch p.Args[1] {
	case "hosts", "ahosts", "ahostsv4":
		return getentHosts(p, keys)
	case "passwd", "group":
	default:
		return p.fail("Unknown database: %s", p.Args[1])
	}
	data, err := p.FS().ReadFile(file)
	if err != nil {
		return 2
	}
	code := 0
	if len(keys) == 0 {
		p.printf("%s", data)
		return 0
	}
	for _, key := range keys {
		found := false
		for line := range strings.Lines(string(data)) {
			f := strings.Split(strings.TrimSpace(line), ":")
			if len(f) > 2 && (f[0] == key || f[2] == key) && !found {
				p.printf("%s\n", strings.TrimSpace(line))
				found = true
			}
		}
		if !found {
			code = 2
		}
	}
	return code
}

func getentHosts(p *Process, keys []string) int {
	hosts, err := p.Machine.hosts()
	if err != nil {
		return 2
	}
	code := 0
	for _, key := range keys {
		found := false
		for _, h := range hosts {
			if h.addr.String() == key || slices.Contains(h.names, key) {
				p.printf("%-15s %s\n", h.addr, strings.Join(h.names, " "))
				found = true
				break
			}
		}
		if !found {
			code = 2
		}
	}
	return code
}

// cmdUseradd adds a user and, unless -N is given, a group of its own.
func cmdUseradd(_ context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("system", "r", false, "")
	f.BoolP("no-create-home", "M", false, "")
	f.BoolP("user-group", "U", false, "")
	comment, shell := f.StringP("comment", "c", "", ""), f.StringP("shell", "s", "/bin/sh", "")
	home := f.StringP("home-dir", "d", "", "")
	args, ok := p.parse(f)
	if !ok || len(args) != 1 {
		return p.fail("one name is needed")
	}
	name := args[0]
	if _, exists := p.Machine.user(name); exists {
		return 8 + p.fail("user '%s' already exists", name)
	}
	if *home == "" {
		*home = "/home/" + name
	}
	id := p.Machine.freeID()
	for file, line := range map[string]string{
		"/etc/passwd": name + ":x:" + id + ":" + id + ":" + *comment + ":" + *home + ":" + *shell + "\n",
		"/etc/group":  name + ":x:" + id + ":\n",
	} {
		data, err := p.FS().ReadFile(file)
		if err == nil {
			err = p.FS().WriteFile(file, append(data, line...), 0o644)
		}
		if err != nil {
			return p.failAt(file, err)
		}
	}
	return 0
}

func (m *Machine) freeID() string {
	for id := 990; ; id-- {
		text := itoa(id)
		_, user := m.user(text)
		_, group := m.group(text)
		if !user && !group {
			return text
		}
	}
}
