package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// finder is a find command: paths and a list of tests that all must hold, then an action.
type finder struct {
	p                  *Process
	minDepth, maxDepth int
	tests              []func(at string, info *Info) bool
	action             func(ctx context.Context, at string) error
	depthFirst         bool
}

// cmdFind knows -type, -name, -path, -newer, -mmin, -user, -perm (exact), -empty, !, -maxdepth, -mindepth, -print, -print0,
// -delete and -exec ... ; or +.
func cmdFind(ctx context.Context, p *Process) int {
	var roots []string
	args := p.Args[1:]
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "!" {
		roots = append(roots, args[0])
		args = args[1:]
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	f := finder{p: p, maxDepth: 1 << 30}
	for len(args) > 0 {
		var err error
		if args, err = f.parse(args); err != nil {
			return p.fail("%v", err)
		}
	}
	if f.action == nil {
		f.action = f.print("\n")
	}
	code := 0
	for _, root := range roots {
		info, err := p.FS().Lstat(p.Path(root))
		if err == nil {
			err = f.walk(ctx, root, info, 0)
		}
		if err != nil {
			code = p.fail("'%s': %s", root, strerror(err))
		}
	}
	return code
}

func (f *finder) print(end string) func(context.Context, string) error {
	return func(_ context.Context, at string) error {
		_, err := fmt.Fprint(f.p.Stdout, at+end)
		return err
	}
}

func (f *finder) parse(args []string) ([]string, error) {
	switch args[0] {
	case "-print":
		f.action = f.print("\n")
		return args[1:], nil
	case "-print0":
		f.action = f.print("\x00")
		return args[1:], nil
	case "-delete":
		f.depthFirst = true
		f.action = func(_ context.Context, at string) error { return f.p.FS().Remove(f.p.Path(at)) }
		return args[1:], nil
	case "-exec":
		return f.parseExec(args[1:])
	case "-xdev", "-depth", "-a":
		return args[1:], nil
	case "!", "-not":
		before := len(f.tests)
		rest, err := f.parse(args[1:])
		if err != nil || len(f.tests) != before+1 {
			return nil, errors.New("expected an expression after '!'")
		}
		test := f.tests[before]
		f.tests[before] = func(at string, info *Info) bool { return !test(at, info) }
		return rest, nil
	case "-empty":
		f.tests = append(f.tests, func(at string, info *Info) bool {
			if info.IsDir() {
				entries, err := f.p.FS().ReadDir(f.p.Path(at))
				return err == nil && len(entries) == 0
			}
			return info.Size() == 0
		})
		return args[1:], nil
	}
	if len(args) < 2 {
		return nil, fmt.Errorf("missing argument to '%s'", args[0])
	}
	test, err := f.test(args[0], args[1])
	if err != nil {
		return nil, err
	}
	if test != nil {
		f.tests = append(f.tests, test)
	}
	return args[2:], nil
}

func (f *finder) test(name, value string) (func(string, *Info) bool, error) {
	switch name {
	case "-maxdepth", "-mindepth":
		n, err := strconv.Atoi(value)
		if name == "-maxdepth" {
			f.maxDepth = n
		} else {
			f.minDepth = n
		}
		return nil, err
	case "-type":
		return func(_ string, i *Info) bool { return kindLetter(i) == value }, nil
	case "-name":
		if _, err := path.Match(value, ""); err != nil {
			return nil, err
		}
		return func(at string, _ *Info) bool { ok, err := path.Match(value, path.Base(at)); return ok && err == nil }, nil
	case "-path", "-wholename":
		re, err := sedRegexp("^"+strings.NewReplacer(".", `\.`, "*", ".*", "?", ".").Replace(value)+"$", true, "(?s)")
		return func(at string, _ *Info) bool { return re.MatchString(at) }, err
	case "-user":
		return func(_ string, i *Info) bool { return i.User == value || f.p.Machine.uid(i.User) == value }, nil
	case "-perm":
		mode, err := strconv.ParseUint(value, 8, 12)
		return func(_ string, i *Info) bool { return octal(i.Mode()) == uint32(mode) }, err
	case "-newer":
		ref, err := f.p.FS().Stat(f.p.Path(value))
		if err != nil {
			return nil, err
		}
		return func(_ string, i *Info) bool { return i.ModTime().After(ref.ModTime()) }, nil
	case "-mmin":
		return minutesTest(value)
	}
	return nil, fmt.Errorf("unknown predicate '%s'", name)
}

func minutesTest(value string) (func(string, *Info) bool, error) {
	n, err := strconv.Atoi(strings.TrimLeft(value, "+-"))
	limit := time.Duration(n) * time.Minute
	return func(_ string, i *Info) bool {
		age := time.Since(i.ModTime())
		switch value[0] {
		case '-':
			return age < limit
		case '+':
			return age > limit
		}
		return age.Truncate(time.Minute) == limit
	}, err
}

func kindLetter(i *Info) string {
	switch m := i.Mode(); {
	case m.IsDir():
		return "d"
	case m&fs.ModeSymlink != 0:
		return "l"
	case m&fs.ModeSocket != 0:
		return "s"
	case m&fs.ModeNamedPipe != 0:
		return "p"
	}
	return "f"
}

// parseExec reads the command of -exec; "+" is treated as one call per file.
func (f *finder) parseExec(args []string) ([]string, error) {
	for n, a := range args {
		if a != ";" && a != "+" {
			continue
		}
		command := args[:n]
		f.action = func(ctx context.Context, at string) error {
			argv := make([]string, len(command))
			for k, word := range command {
				argv[k] = strings.ReplaceAll(word, "{}", at)
			}
			f.p.Machine.run(ctx, f.p.child(argv...))
			return nil
		}
		return args[n+1:], nil
	}
	return nil, errors.New("missing argument to '-exec'")
}

func (f *finder) walk(ctx context.Context, at string, info *Info, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !f.depthFirst {
		if err := f.visit(ctx, at, info, depth); err != nil {
			return err
		}
	}
	if info.IsDir() && depth < f.maxDepth {
		entries, err := f.p.FS().ReadDir(f.p.Path(at))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			below := strings.TrimSuffix(at, "/") + "/" + e.Name()
			child, err := f.p.FS().Lstat(f.p.Path(below))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = f.walk(ctx, below, child, depth+1)
			}
			if err != nil {
				return err
			}
		}
	}
	if f.depthFirst {
		return f.visit(ctx, at, info, depth)
	}
	return nil
}

func (f *finder) visit(ctx context.Context, at string, info *Info, depth int) error {
	if depth < f.minDepth {
		return nil
	}
	for _, test := range f.tests {
		if !test(at, info) {
			return nil
		}
	}
	return f.action(ctx, at)
}
