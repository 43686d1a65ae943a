package machine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// Exit codes that shells give to commands which could not be run.
const (
	exitCannotRun = 126
	exitNotFound  = 127
)

// interpreter is the first line of files that are programs of the sandbox.
const interpreter = "#!cxha-sandbox "

// multicall is the program that all base commands are links to; it runs the command its link is called by.
const multicall = "commands"

// run executes argv as a shell would: by PATH, with the rights of p.Cred, and returns the exit code.
func (m *Machine) run(ctx context.Context, p *Process) int {
	file, err := m.lookPath(p, p.Args[0])
	if err != nil {
		put(p.Stderr, "sh: 1: %s: %s\n", p.Args[0], strerror(err))
		if errors.Is(err, errNotFound) {
			return exitNotFound
		}
		return exitCannotRun
	}
	head, err := m.head(file)
	if err != nil {
		put(p.Stderr, "sh: 1: %s: %s\n", p.Args[0], strerror(err))
		return exitCannotRun
	}
	name, isProgram := strings.CutPrefix(head, interpreter)
	name = strings.TrimSpace(name)
	switch {
	case isProgram && name == multicall:
		return m.runCommand(ctx, p, path.Base(p.Args[0]))
	case isProgram:
		program, ok := m.programs[name]
		if !ok {
			put(p.Stderr, "sh: 1: %s: cannot execute: the sandbox has no program %q\n", p.Args[0], name)
			return exitCannotRun
		}
		p.Args = append([]string{file.path}, p.Args[1:]...)
		return program(ctx, p)
	}
	return m.runScript(ctx, p, file.path)
}

func (m *Machine) runCommand(ctx context.Context, p *Process, name string) int {
	command, ok := m.base[name]
	if !ok {
		put(p.Stderr, "%s: applet not found\n", name)
		return exitNotFound
	}
	return command(ctx, p)
}

// runScript runs a text file by the machine's shell. The kernel would read the interpreter from the first line; every
// interpreter but a shell is one the host does not have.
func (m *Machine) runScript(ctx context.Context, p *Process, file string) int {
	src, err := m.fs.ReadFile(file)
	if err != nil {
		put(p.Stderr, "sh: 1: %s: %s\n", file, strerror(err))
		return exitCannotRun
	}
	options, err := shebang(src)
	if err != nil {
		put(p.Stderr, "sh: 1: %s: %s\n", p.Args[0], strerror(err))
		return exitCannotRun
	}
	return m.shell(ctx, p, script{name: file, text: src, options: options, params: p.Args[1:]})
}

// shebang is the options that a script's first line gives to its shell.
func shebang(src []byte) ([]string, error) {
	line, _, _ := bytes.Cut(src, []byte("\n"))
	words, ok := bytes.CutPrefix(line, []byte("#!"))
	if !ok {
		if bytes.IndexByte(line, 0) >= 0 {
			return nil, errors.New("exec format error")
		}
		return nil, nil
	}
	fields := strings.Fields(string(words))
	if len(fields) > 0 && path.Base(fields[0]) == "env" {
		fields = fields[1:]
	}
	if len(fields) == 0 || !slices.Contains([]string{"sh", "dash", "bash", "ash"}, path.Base(fields[0])) {
		return nil, errors.New("bad interpreter: No such file or directory")
	}
	return fields[1:], nil
}

var errNotFound = errors.New("not found")

// executable is a file that a command name means.
type executable struct {
	path string // as it was found
	rel  string // with all links followed, relative to the root
}

// lookPath finds the file that a command name means.
func (m *Machine) lookPath(p *Process, name string) (executable, error) {
	if strings.Contains(name, "/") {
		return m.executable(p, p.Path(name))
	}
	dirs, ok := p.Env["PATH"]
	if !ok {
		dirs = "/bin:/usr/bin" // execvp's own
	}
	result := errNotFound
	for _, dir := range strings.Split(dirs, ":") {
		file, err := m.executable(p, p.Path(path.Join(dir, name)))
		if err == nil {
			return file, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			result = err
		}
	}
	return executable{}, result
}

func (m *Machine) executable(p *Process, file string) (executable, error) {
	rel, info, err := p.FS().find(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return executable{}, errNotFound
	case err != nil:
		return executable{}, err
	case info.IsDir() || !p.Cred.may(info, 1):
		return executable{}, fs.ErrPermission
	}
	return executable{path: file, rel: rel}, nil
}

// head is the first line of an executable; the one of the base commands is known.
func (m *Machine) head(file executable) (string, error) {
	if "/"+file.rel == multiFile {
		return interpreter + multicall, nil
	}
	return m.firstLine(file.path)
}

func (m *Machine) firstLine(file string) (string, error) {
	f, err := m.fs.OpenFile(file, 0, 0)
	if err != nil {
		return "", err
	}
	buf := make([]byte, 256)
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", errors.Join(err, f.Close())
	}
	line, _, _ := strings.Cut(string(buf[:n]), "\n")
	return line, f.Close()
}

// Path makes a path absolute by the process's working directory; ".." is left to the file system, which knows links.
func (p *Process) Path(name string) string {
	if name == "" || path.IsAbs(name) {
		return name
	}
	return strings.TrimSuffix(p.Dir, "/") + "/" + name
}

// child is a copy of the process that runs another command with the same surroundings.
func (p *Process) child(args ...string) *Process {
	c := *p
	c.Args = args
	c.Env = maps.Clone(p.Env)
	return &c
}

// FS is the machine's file system with the rights of the process's user. Nothing is written after a power cut.
func (p *Process) FS() *FS {
	fsys := p.Machine.fs.As(p.Cred)
	if p.life != nil {
		return fsys.during(p.life)
	}
	return fsys
}

// strerror is an error in the words of the C library.
func strerror(err error) string {
	text := underlying(err).Error()
	switch {
	case errors.Is(err, errNotFound):
		return text
	case errors.Is(err, fs.ErrPermission) && !strings.Contains(text, "operation"):
		text = "permission denied"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
