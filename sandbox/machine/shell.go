package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// umaskVar and pidVar carry what the interpreter has no place for through the shell's own variables, so that
// subshells and functions see them as they should.
const (
	umaskVar = "CXHA_SANDBOX_UMASK"
	pidVar   = "CXHA_SANDBOX_PID"
	// nowhere is a PATH that finds nothing, on the host or on the real machine.
	nowhere = "/nonexistent/cxha-sandbox"
)

// script is something for the shell to run.
type script struct {
	name    string   // $0
	text    []byte   // POSIX shell
	options []string // such as -e
	params  []string // $1...
}

var pids atomic.Int64

// nextPid gives numbers that look like process ids; no two processes of one sandbox have the same.
func nextPid() int { return int(1000 + pids.Add(1)) }

// shell runs a script as /bin/sh would and returns its exit code.
func (m *Machine) shell(ctx context.Context, p *Process, s script) int {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(bytes.NewReader(s.text), s.name)
	if err != nil {
		put(p.Stderr, "sh: %v\n", err)
		return 2
	}
	adapt(file)
	sh := &shell{machine: m, proc: p}
	runner, err := sh.runner(s)
	if err != nil {
		put(p.Stderr, "sh: %v\n", err)
		return 2
	}
	return exitCode(ctx, p, runner.Run(ctx, file))
}

func exitCode(ctx context.Context, p *Process, err error) int {
	var status interp.ExitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil:
		return 128 + 15
	}
	put(p.Stderr, "sh: %v\n", err)
	return 2
}

// shell connects one interpreter to the machine.
type shell struct {
	machine *Machine
	proc    *Process
}

func (sh *shell) runner(s script) (*interp.Runner, error) {
	env := map[string]string{umaskVar: "0022", "UID": "", "EUID": "", "GID": ""}
	for k, v := range sh.proc.Env {
		env[k] = v
	}
	uid, gid := sh.machine.ids(sh.proc.Cred)
	env["UID"], env["EUID"], env["GID"] = uid, uid, gid
	env[pidVar] = strconv.Itoa(nextPid())
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	runner, err := interp.New(
		interp.Env(expand.ListEnviron(list...)),
		interp.Dir("/"),
		interp.StdIO(sh.proc.Stdin, sh.proc.Stdout, sh.proc.Stderr),
		interp.Params(append(append([]string{}, s.options...), append([]string{"--"}, s.params...)...)...),
		interp.CallHandler(sh.call),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return sh.exec }),
		interp.OpenHandler(sh.open),
		interp.ReadDirHandler2(sh.readDir),
		interp.StatHandler(sh.stat),
		interp.AccessHandler(sh.access),
	)
	if err != nil {
		return nil, err
	}
	// The option Dir would look for the directory in the real file system.
	runner.Dir = sh.proc.Dir
	return runner, nil
}

// inside is the process as the interpreter's current state sees it.
func (sh *shell) inside(hc interp.HandlerContext, args []string) *Process {
	p := sh.proc.child(args...)
	p.Dir = hc.Dir
	p.Env = map[string]string{}
	for name, v := range hc.Env.Each {
		if v.Exported && v.Kind == expand.String {
			p.Env[name] = v.Str
		}
	}
	p.Env[umaskVar] = hc.Env.Get(umaskVar).String()
	delete(p.Env, pidVar)
	for _, name := range []string{"UID", "EUID", "GID"} {
		delete(p.Env, name)
	}
	p.Stdout, p.Stderr = hc.Stdout, hc.Stderr
	p.Stdin = strings.NewReader("")
	if hc.Stdin != nil {
		p.Stdin = hc.Stdin
	}
	return p
}

func (sh *shell) exec(ctx context.Context, args []string) error {
	code := sh.machine.run(ctx, sh.inside(interp.HandlerCtx(ctx), args))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if code != 0 {
		return interp.ExitStatus(code)
	}
	return nil
}

// call replaces the builtins that would look at the real machine, or that the interpreter does not have.
func (sh *shell) call(ctx context.Context, args []string) ([]string, error) {
	hc := interp.HandlerCtx(ctx)
	switch {
	case hc.Env.Get("PATH").String() == nowhere: // asked by which
		return args, nil
	case args[0] == "umask":
		return umask(hc, args), nil
	case args[0] == "trap":
		return trap(args), nil
	case args[0] == "ulimit" || args[0] == "hash":
		return []string{"true"}, nil
	case args[0] == "command" && len(args) == 3 && args[1] == "-v":
		return sh.which(hc, args, "%s"), nil
	case args[0] == "type" && len(args) == 2:
		return sh.which(hc, args, args[1]+" is %s"), nil
	}
	return args, nil
}

// umask keeps the mask in a shell variable: a subshell's mask ends with it.
func umask(hc interp.HandlerContext, args []string) []string {
	if len(args) == 1 {
		return []string{"echo", hc.Env.Get(umaskVar).String()}
	}
	if mask, err := strconv.ParseUint(args[1], 8, 12); err == nil && len(args) == 2 {
		return []string{"eval", fmt.Sprintf("%s=%04o", umaskVar, mask)}
	}
	return []string{"eval", "echo 'umask: Illegal number or symbolic mode' >&2; false"}
}

// trap leaves only the conditions that the interpreter knows: nothing sends signals to a shell here.
func trap(args []string) []string {
	if len(args) < 3 {
		return args
	}
	kept := []string{args[0], args[1]}
	for _, condition := range args[2:] {
		switch condition {
		case "0", "EXIT":
			kept = append(kept, "EXIT")
		case "ERR":
			kept = append(kept, condition)
		}
	}
	if len(kept) == 2 {
		return []string{"true"}
	}
	return kept
}

// which answers command -v and type. Builtins and functions are the interpreter's to know; it gets a PATH that leads
// nowhere, so that it does not find the real machine's commands.
func (sh *shell) which(hc interp.HandlerContext, args []string, format string) []string {
	name := args[len(args)-1]
	if !interp.IsBuiltin(name) {
		p := sh.inside(hc, []string{name})
		p.Env["PATH"] = hc.Env.Get("PATH").String()
		if file, err := sh.machine.lookPath(p, name); err == nil {
			return []string{"printf", "%s\n", fmt.Sprintf(format, file.path)}
		}
		if strings.Contains(name, "/") {
			return []string{"eval", "(exit 127)"}
		}
	}
	quoted := make([]string, len(args))
	for n, a := range args {
		quoted[n] = shellQuote(a)
	}
	return []string{"eval", "PATH=" + nowhere + " " + strings.Join(quoted, " ") + " || (exit 127)"}
}

// shellQuote is s as one word for the shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (sh *shell) open(ctx context.Context, name string, flag int, _ fs.FileMode) (io.ReadWriteCloser, error) {
	hc := interp.HandlerCtx(ctx)
	p := sh.inside(hc, nil)
	if f, ok := openDevice(p, p.Path(name)); ok {
		return f, nil
	}
	f, err := p.FS().OpenFile(p.Path(name), flag, p.created(0o666))
	if err != nil {
		op := "cannot open"
		if flag&os.O_CREATE != 0 {
			op = "cannot create"
		}
		return nil, &fs.PathError{Op: "sh: 1: " + op, Path: name, Err: errors.New(strerror(err))}
	}
	return openSetting(p.Path(name), flag, f)
}

// created is the mode of a file or directory that the process makes.
func (p *Process) created(mode fs.FileMode) fs.FileMode {
	mask, err := strconv.ParseUint(p.Env[umaskVar], 8, 12)
	if err != nil {
		mask = 0o022
	}
	return mode &^ fs.FileMode(mask)
}

func (sh *shell) readDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	p := sh.inside(interp.HandlerCtx(ctx), nil)
	return p.FS().ReadDir(p.Path(name))
}

func (sh *shell) stat(ctx context.Context, name string, follow bool) (fs.FileInfo, error) {
	p := sh.inside(interp.HandlerCtx(ctx), nil)
	if follow {
		return present(p.FS().Stat(p.Path(name)))
	}
	return present(p.FS().Lstat(p.Path(name)))
}

// present keeps a nil *Info from becoming an fs.FileInfo that is not nil.
func present(i *Info, err error) (fs.FileInfo, error) {
	if err != nil {
		return nil, err
	}
	return i, nil
}

func (sh *shell) access(ctx context.Context, name string, mode interp.AccessMode) error {
	p := sh.inside(interp.HandlerCtx(ctx), nil)
	return p.FS().Access(p.Path(name), fs.FileMode(mode))
}
