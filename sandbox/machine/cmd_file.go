package machine

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

func fileCommands() map[string]Program {
	return map[string]Program{
		"mkdir": cmdMkdir, "rmdir": cmdRmdir, "rm": cmdRm, "mv": cmdMv, "cp": cmdCp, "ln": cmdLn, "touch": cmdTouch,
		"chmod": cmdChmod, "chown": cmdChown, "chgrp": cmdChgrp, "tr": cmdTr, "cut": cmdCut, "install": cmdInstall,
	}
}

func cmdMkdir(_ context.Context, p *Process) int {
	f := p.flags()
	parents := f.BoolP("parents", "p", false, "")
	mode := f.StringP("mode", "m", "", "")
	args, ok := p.parse(f)
	if !ok || len(args) == 0 {
		return p.fail("missing operand")
	}
	code := 0
	for _, dir := range args {
		if err := p.makeDir(dir, *parents, *mode); err != nil {
			code = p.fail("cannot create directory '%s': %s", dir, strerror(err))
		}
	}
	return code
}

// makeDir is mkdir(1) for one directory: -m holds for the last part only.
func (p *Process) makeDir(dir string, parents bool, mode string) error {
	fsys := p.FS()
	at := p.Path(dir)
	if parents {
		if err := fsys.MkdirAll(path.Dir(strings.TrimRight(at, "/")), p.created(0o777)); err != nil {
			return err
		}
		if info, err := fsys.Stat(at); err == nil && info.IsDir() {
			return nil
		}
	}
	err := fsys.Mkdir(at, p.created(0o777))
	if parents && errors.Is(err, fs.ErrExist) {
		// Another process made it in between; with -p that is as good, if it is a directory.
		if info, statErr := fsys.Stat(at); statErr == nil && info.IsDir() {
			return nil
		}
	}
	if err != nil {
		return err
	}
	if mode == "" {
		return nil
	}
	m, err := parseMode(mode, 0, true)
	if err != nil {
		return err
	}
	return fsys.Chmod(at, m)
}

func cmdRmdir(_ context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("parents", "p", false, "")
	ignore := f.Bool("ignore-fail-on-non-empty", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	code := 0
	for _, dir := range args {
		info, err := p.FS().Lstat(p.Path(dir))
		if err == nil && !info.IsDir() {
			err = errors.New("not a directory")
		}
		if err == nil {
			err = p.FS().Remove(p.Path(dir))
		}
		if err != nil && !*ignore {
			code = p.fail("failed to remove '%s': %s", dir, strerror(err))
		}
	}
	return code
}

func cmdRm(ctx context.Context, p *Process) int {
	f := p.flags()
	force, recursive := f.BoolP("force", "f", false, ""), f.BoolP("recursive", "r", false, "")
	f.BoolVarP(recursive, "Recursive", "R", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	if len(args) == 0 && !*force {
		return p.fail("missing operand")
	}
	code := 0
	for _, name := range args {
		if ctx.Err() != nil {
			return 128 + 15
		}
		info, err := p.FS().Lstat(p.Path(name))
		switch {
		case errors.Is(err, fs.ErrNotExist) && *force:
			continue
		case err != nil:
		case *recursive:
			err = p.FS().RemoveAll(strings.TrimRight(p.Path(name), "/"))
		case info.IsDir():
			err = syscall.EISDIR
		default:
			err = p.FS().Remove(p.Path(name))
		}
		if err != nil {
			code = p.fail("cannot remove '%s': %s", name, strerror(err))
		}
	}
	return code
}

// destination is where source ends up: inside target when that is a directory.
func (p *Process) destination(source, target string, noTargetDir bool) string {
	if info, err := p.FS().Stat(p.Path(target)); err == nil && info.IsDir() && !noTargetDir {
		return p.Path(target) + "/" + path.Base(source)
	}
	return p.Path(target)
}

func cmdMv(_ context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("force", "f", false, "")
	noClobber := f.BoolP("no-clobber", "n", false, "")
	noTarget := f.BoolP("no-target-directory", "T", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) < 2 {
		return p.fail("missing destination file operand")
	}
	code := 0
	target := args[len(args)-1]
	for _, source := range args[:len(args)-1] {
		to := p.destination(source, target, *noTarget)
		if _, err := p.FS().Lstat(to); err == nil && *noClobber {
			continue
		}
		if _, err := p.FS().Lstat(p.Path(source)); err != nil {
			code = p.fail("cannot stat '%s': %s", source, strerror(err))
			continue
		}
		if err := p.FS().Rename(p.Path(source), to); err != nil {
			code = p.fail("cannot move '%s' to '%s': %s", source, target, strerror(err))
		}
	}
	return code
}

type copier struct {
	p                            *Process
	recursive, preserve, noDeref bool
}

func cmdCp(ctx context.Context, p *Process) int {
	f := p.flags()
	c := copier{p: p}
	var archive bool
	f.BoolVarP(&archive, "archive", "a", false, "")
	f.BoolVarP(&c.recursive, "recursive", "r", false, "")
	f.BoolVarP(&c.recursive, "Recursive", "R", false, "")
	f.BoolVarP(&c.preserve, "preserve", "p", false, "")
	f.BoolVarP(&c.noDeref, "no-dereference", "d", false, "")
	f.BoolP("force", "f", false, "")
	noTarget := f.BoolP("no-target-directory", "T", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) < 2 {
		return p.fail("missing destination file operand")
	}
	if archive {
		c.recursive, c.preserve, c.noDeref = true, true, true
	}
	code := 0
	target := args[len(args)-1]
	for _, source := range args[:len(args)-1] {
		if err := c.copy(ctx, p.Path(source), p.destination(source, target, *noTarget)); err != nil {
			code = p.fail("cannot copy '%s' to '%s': %s", source, target, strerror(err))
		}
	}
	return code
}

func (c copier) copy(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	fsys := c.p.FS()
	stat := fsys.Stat
	if c.noDeref {
		stat = fsys.Lstat
	}
	info, err := stat(from)
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return c.link(from, to)
	case info.IsDir():
		if !c.recursive {
			return errors.New("-r not specified; omitting directory")
		}
		return c.dir(ctx, from, to, info)
	}
	if err := c.file(from, to, info); err != nil {
		return err
	}
	return c.keep(to, info)
}

func (c copier) link(from, to string) error {
	target, err := c.p.FS().Readlink(from)
	if err != nil {
		return err
	}
	if err := c.p.FS().Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.p.FS().Symlink(target, to)
}

func (c copier) dir(ctx context.Context, from, to string, info *Info) error {
	fsys := c.p.FS()
	if err := fsys.Mkdir(to, c.p.created(0o777)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	entries, err := fsys.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := c.copy(ctx, from+"/"+e.Name(), to+"/"+e.Name()); err != nil {
			return err
		}
	}
	return c.keep(to, info)
}

func (c copier) file(from, to string, info *Info) error {
	in, err := c.p.FS().OpenFile(from, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer closeQuietly(in)
	mask := c.p.created(0o7777)
	out, err := c.p.FS().OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode()&mask)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// keep gives the copy the mode, the owner (where the user may) and the time of the original.
func (c copier) keep(to string, info *Info) error {
	if !c.preserve {
		return nil
	}
	fsys := c.p.FS()
	if err := fsys.Chmod(to, info.Mode()); err != nil {
		return err
	}
	if err := fsys.Chown(to, info.User, info.Group); err != nil && c.p.Cred.IsRoot() {
		return err
	}
	return fsys.Chtimes(to, info.ModTime(), info.ModTime())
}

func cmdLn(_ context.Context, p *Process) int {
	f := p.flags()
	symbolic, force := f.BoolP("symbolic", "s", false, ""), f.BoolP("force", "f", false, "")
	noDeref := f.BoolP("no-dereference", "n", false, "")
	noTarget := f.BoolP("no-target-directory", "T", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) == 0 {
		return p.fail("missing file operand")
	}
	if len(args) == 1 {
		args = append(args, path.Base(args[0]))
	}
	target := args[len(args)-1]
	skipDir := *noTarget
	if info, err := p.FS().Lstat(p.Path(target)); err == nil && info.Mode()&fs.ModeSymlink != 0 && *noDeref {
		skipDir = true
	}
	for _, source := range args[:len(args)-1] {
		at := p.destination(source, target, skipDir)
		if *force {
			if err := p.FS().Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return p.fail("cannot remove '%s': %s", at, strerror(err))
			}
		}
		err := error(nil)
		if *symbolic {
			err = p.FS().Symlink(source, at)
		} else {
			err = p.FS().Link(p.Path(source), at)
		}
		if err != nil {
			return p.fail("failed to create link '%s': %s", at, strerror(err))
		}
	}
	return 0
}

func cmdTouch(_ context.Context, p *Process) int {
	f := p.flags()
	noCreate := f.BoolP("no-create", "c", false, "")
	date := f.StringP("date", "d", "", "")
	f.BoolP("mtime", "m", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	at := time.Now()
	if *date != "" {
		var err error
		if at, err = parseDate(*date, p.zone()); err != nil {
			return p.fail("invalid date format '%s'", *date)
		}
	}
	code := 0
	for _, name := range args {
		if err := p.touch(name, at, *noCreate); err != nil {
			code = p.fail("cannot touch '%s': %s", name, strerror(err))
		}
	}
	return code
}

func (p *Process) touch(name string, at time.Time, noCreate bool) error {
	_, err := p.FS().Stat(p.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		if noCreate {
			return nil
		}
		file, err := p.FS().OpenFile(p.Path(name), os.O_WRONLY|os.O_CREATE, p.created(0o666))
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return p.FS().Chtimes(p.Path(name), at, at)
}
