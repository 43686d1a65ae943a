package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

func cmdChmod(_ context.Context, p *Process) int {
	// A symbolic mode such as -x would be taken for an option: only -R and -f are.
	recursive := false
	var args []string
	for _, a := range p.Args[1:] {
		switch a {
		case "-R", "--recursive":
			recursive = true
		case "-f", "--silent", "--":
		default:
			args = append(args, a)
		}
	}
	if len(args) < 2 {
		return p.fail("missing operand")
	}
	code := 0
	for _, name := range args[1:] {
		err := p.eachBelow(p.Path(name), recursive, func(at string, info *Info) error {
			if info.Mode()&fs.ModeSymlink != 0 && at != p.Path(name) {
				return nil
			}
			if info.Mode()&fs.ModeSymlink != 0 {
				var err error
				if info, err = p.FS().Stat(at); err != nil {
					return err
				}
			}
			mode, err := parseMode(args[0], info.Mode(), info.IsDir())
			if err != nil {
				return err
			}
			return p.FS().Chmod(at, mode)
		})
		if err != nil {
			code = p.fail("changing permissions of '%s': %s", name, strerror(err))
		}
	}
	return code
}

// eachBelow calls do for a file and, when recursive, for all that is below it.
func (p *Process) eachBelow(at string, recursive bool, do func(at string, info *Info) error) error {
	info, err := p.FS().Lstat(at)
	if err != nil {
		return err
	}
	if err := do(at, info); err != nil {
		return err
	}
	if !recursive || !info.IsDir() {
		return nil
	}
	entries, err := p.FS().ReadDir(at)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := p.eachBelow(at+"/"+e.Name(), true, do); err != nil {
			return err
		}
	}
	return nil
}

// parseMode reads a mode in octal, or in the symbolic form that changes old.
func parseMode(s string, old fs.FileMode, isDir bool) (fs.FileMode, error) {
	if n, err := strconv.ParseUint(s, 8, 12); err == nil {
		return fromOctal(uint32(n)), nil
	}
	mode := octal(old)
	for _, clause := range strings.Split(s, ",") {
		at := strings.IndexAny(clause, "+-=")
		if at < 0 {
			return 0, fmt.Errorf("invalid mode: '%s'", s)
		}
		who, op, perms := clause[:at], clause[at], clause[at+1:]
		mask, err := modeMask(who)
		if err != nil {
			return 0, err
		}
		bits, err := modeBits(perms, mode, isDir)
		if err != nil {
			return 0, err
		}
		bits &= mask
		switch op {
		case '+':
			mode |= bits
		case '-':
			mode &^= bits
		case '=':
			mode = mode&^(mask&0o777) | bits
		}
	}
	return fromOctal(mode), nil
}

func modeMask(who string) (uint32, error) {
	if who == "" {
		who = "a"
	}
	var mask uint32
	for _, w := range who {
		m, ok := map[rune]uint32{'u': 0o4700, 'g': 0o2070, 'o': 0o1007, 'a': 0o7777}[w]
		if !ok {
			return 0, fmt.Errorf("invalid mode: '%s'", who)
		}
		mask |= m
	}
	return mask, nil
}

func modeBits(perms string, mode uint32, isDir bool) (uint32, error) {
	var bits uint32
	for _, c := range perms {
		switch c {
		case 'r':
			bits |= 0o444
		case 'w':
			bits |= 0o222
		case 'x':
			bits |= 0o111
		case 'X':
			if isDir || mode&0o111 != 0 {
				bits |= 0o111
			}
		case 's':
			bits |= 0o6000
		case 't':
			bits |= 0o1000
		default:
			return 0, fmt.Errorf("invalid mode: '%s'", perms)
		}
	}
	return bits, nil
}

func cmdChown(_ context.Context, p *Process) int {
	return changeOwner(p, func(spec string) (user, group string, hasGroup bool) {
		user, group, hasGroup = strings.Cut(spec, ":")
		return user, group, hasGroup
	})
}

func cmdChgrp(_ context.Context, p *Process) int {
	return changeOwner(p, func(spec string) (user, group string, hasGroup bool) { return "", spec, true })
}

func changeOwner(p *Process, split func(string) (user, group string, hasGroup bool)) int {
	f := p.flags()
	recursive, noDeref := f.BoolP("recursive", "R", false, ""), f.BoolP("no-dereference", "h", false, "")
	f.BoolP("silent", "f", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) < 2 {
		return p.fail("missing operand")
	}
	user, group, hasGroup := split(args[0])
	if hasGroup && group == "" && user != "" { // "user:" means the user's own group
		if u, ok := p.Machine.user(user); ok {
			group = u.gid
		}
	}
	code := 0
	for _, name := range args[1:] {
		err := p.eachBelow(p.Path(name), *recursive, func(at string, info *Info) error {
			link := info.Mode()&fs.ModeSymlink != 0
			return p.chownNames(at, user, group, !link || !*noDeref && at == p.Path(name))
		})
		if err != nil {
			code = p.fail("changing ownership of '%s': %s", name, strerror(err))
		}
	}
	return code
}

// chownNames is chown with names or numbers checked against the host's own users; empty ones stay as they are.
func (p *Process) chownNames(at, user, group string, follow bool) error {
	if user != "" {
		if u, ok := p.Machine.user(user); ok {
			user = u.name
		} else if numberOr(user, "") == "" {
			return errors.New("invalid user: '" + user + "'")
		}
	}
	if group != "" {
		if g, ok := p.Machine.group(group); ok {
			group = g.name
		} else if numberOr(group, "") == "" {
			return errors.New("invalid group: '" + group + "'")
		}
	}
	if follow {
		return p.FS().Chown(at, user, group)
	}
	return p.FS().Lchown(at, user, group)
}
