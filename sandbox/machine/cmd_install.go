package machine

import (
	"context"
	"errors"
	"path"
)

// cmdInstall knows the form with -d (directories) and the one that copies files, with -m, -o and -g.
func cmdInstall(ctx context.Context, p *Process) int {
	f := p.flags()
	dirs := f.BoolP("directory", "d", false, "")
	parents := f.BoolP("create-leading", "D", false, "")
	mode := f.StringP("mode", "m", "0755", "")
	user, group := f.StringP("owner", "o", "", ""), f.StringP("group", "g", "", "")
	noTarget := f.BoolP("no-target-directory", "T", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) == 0 {
		return p.fail("missing file operand")
	}
	m, err := parseMode(*mode, 0, *dirs)
	if err != nil {
		return p.fail("invalid mode '%s'", *mode)
	}
	targets := args
	if !*dirs {
		if len(args) < 2 {
			return p.fail("missing destination file operand after '%s'", args[0])
		}
		last := args[len(args)-1]
		targets = nil
		for _, source := range args[:len(args)-1] {
			to := p.destination(source, last, *noTarget)
			if *parents {
				if err := p.FS().MkdirAll(path.Dir(to), 0o755); err != nil {
					return p.failAt(to, err)
				}
			}
			if err := (copier{p: p}).copy(ctx, p.Path(source), to); err != nil {
				return p.fail("cannot create regular file '%s': %s", to, strerror(err))
			}
			targets = append(targets, to)
		}
	}
	for _, to := range targets {
		if *dirs {
			if err := p.FS().MkdirAll(p.Path(to), 0o755); err != nil {
				return p.failAt(to, err)
			}
		}
		if err := errors.Join(p.FS().Chmod(p.Path(to), m), p.chownNames(p.Path(to), *user, *group, true)); err != nil {
			return p.failAt(to, err)
		}
	}
	return 0
}
