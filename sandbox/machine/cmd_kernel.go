package machine

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
)

func kernelCommands() map[string]Program {
	return map[string]Program{"sysctl": cmdSysctl, "modprobe": cmdModprobe, "lsmod": cmdLsmod}
}

type sysctlRun struct {
	p                    *Process
	namesOnly, valueOnly bool
	ignore, quiet        bool
	code                 int
}

func cmdSysctl(_ context.Context, p *Process) int {
	s := &sysctlRun{p: p}
	f := p.flags()
	f.BoolVarP(&s.valueOnly, "values", "n", false, "")
	f.BoolVarP(&s.namesOnly, "names", "N", false, "")
	f.BoolVarP(&s.ignore, "ignore", "e", false, "")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "")
	write, system := f.BoolP("write", "w", false, ""), f.Bool("system", false, "")
	all := f.BoolP("all", "a", false, "")
	load := f.StringP("load", "p", "", "")
	f.Lookup("load").NoOptDefVal = "/etc/sysctl.conf"
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	switch {
	case *system:
		for _, file := range append(p.Machine.configFiles("sysctl.d"), "/etc/sysctl.conf") {
			if _, err := p.FS().Stat(file); err == nil {
				p.printf("* Applying %s ...\n", file)
				s.load(file)
			}
		}
	case f.Changed("load"):
		if len(args) == 0 {
			args = []string{*load}
		}
		for _, file := range args {
			s.load(file)
		}
	case *all:
		s.dump("/proc/sys")
	default:
		for _, a := range args {
			key, value, assign := strings.Cut(a, "=")
			if assign || *write {
				s.set(setting{key: strings.TrimSpace(key), value: strings.TrimSpace(value)})
			} else {
				s.show(key)
			}
		}
	}
	return s.code
}

func (s *sysctlRun) load(file string) {
	data, err := s.p.FS().ReadFile(s.p.Path(file))
	if err != nil {
		s.code = s.p.fail("cannot open \"%s\": %s", file, strerror(err))
		return
	}
	settings, bad := parseSysctls(string(data))
	for _, line := range bad {
		s.p.fail("%s: invalid syntax, continuing: %s", file, line)
	}
	for _, one := range settings {
		s.set(one)
	}
}

func (s *sysctlRun) set(one setting) {
	m := s.p.Machine
	err := s.p.FS().Access(sysctlPath(one.key), 2)
	if err == nil {
		err = m.setSysctl(one.key, one.value)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !s.ignore && !one.optional {
			s.code = s.p.fail("cannot stat %s: No such file or directory", sysctlPath(one.key))
		}
	case errors.Is(err, fs.ErrPermission):
		s.code = s.p.fail("permission denied on key \"%s\"", one.key)
	case errors.Is(err, syscall.EINVAL):
		s.code = s.p.fail("setting key \"%s\": Invalid argument", one.key)
	case err != nil:
		s.code = s.p.fail("setting key \"%s\": %s", one.key, strerror(err))
	case !s.quiet:
		s.print(one.key, one.value)
	}
}

func (s *sysctlRun) show(key string) {
	info, err := s.p.FS().Stat(sysctlPath(key))
	if err != nil {
		if !s.ignore {
			s.code = s.p.fail("cannot stat %s: No such file or directory", sysctlPath(key))
		}
		return
	}
	if info.IsDir() {
		s.dump(sysctlPath(key))
		return
	}
	value, err := s.p.Machine.sysctl(key)
	if err != nil {
		s.code = s.p.fail("reading key \"%s\": %s", key, strerror(err))
		return
	}
	s.print(key, value)
}

func (s *sysctlRun) print(key, value string) {
	key = strings.ReplaceAll(key, "/", ".")
	switch {
	case s.valueOnly:
		s.p.printf("%s\n", value)
	case s.namesOnly:
		s.p.printf("%s\n", key)
	default:
		s.p.printf("%s = %s\n", key, value)
	}
}

func (s *sysctlRun) dump(dir string) {
	entries, err := s.p.FS().ReadDir(dir)
	if err != nil {
		s.code = s.p.failAt(dir, err)
		return
	}
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		if e.IsDir() {
			s.dump(at)
			continue
		}
		s.show(strings.ReplaceAll(strings.TrimPrefix(at, "/proc/sys/"), "/", "."))
	}
}

func cmdModprobe(_ context.Context, p *Process) int {
	f := p.flags()
	all, remove := f.BoolP("all", "a", false, ""), f.BoolP("remove", "r", false, "")
	quiet := f.BoolP("quiet", "q", false, "")
	dry := f.BoolP("dry-run", "n", false, "")
	f.BoolP("use-blacklist", "b", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) == 0 {
		return p.fail("missing parameters. See -h.")
	}
	if !*all && !*remove {
		args = args[:1] // what follows are parameters of the module
	}
	if !p.Cred.IsRoot() && !*dry {
		return p.fail("ERROR: could not insert '%s': Operation not permitted", args[0])
	}
	code := 0
	for _, name := range args {
		err := error(nil)
		switch {
		case *dry:
			if _, known := kernelModules()[strings.ReplaceAll(name, "-", "_")]; !known {
				err = fs.ErrNotExist
			}
		case *remove:
			err = p.Machine.unloadModule(name)
		default:
			err = p.Machine.loadModule(name)
		}
		if err == nil {
			continue
		}
		code = 1
		if errors.Is(err, fs.ErrNotExist) && !*quiet {
			p.fail("FATAL: Module %s not found in directory /lib/modules/%s", name, kernelRelease)
		} else if !*quiet {
			p.fail("ERROR: could not insert '%s': %s", name, strerror(err))
		}
	}
	return code
}

func cmdLsmod(_ context.Context, p *Process) int {
	data, err := p.FS().ReadFile("/proc/modules")
	if err != nil {
		return p.failAt("/proc/modules", err)
	}
	p.printf("Module                  Size  Used by\n")
	for _, line := range slices.Collect(strings.Lines(string(data))) {
		if f := strings.Fields(line); len(f) > 2 {
			p.printf("%-19s %8s  %s\n", f[0], f[1], f[2])
		}
	}
	return 0
}
