package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"syscall"

	"github.com/spf13/pflag"
)

// baseCommands are the commands of a fresh host, by name.
func baseCommands() map[string]Program {
	all := map[string]Program{}
	for _, family := range []map[string]Program{
		textCommands(), grepCommands(), fileCommands(), listCommands(), sumCommands(), nameCommands(), shellCommands(),
		userCommands(), timeCommands(), hostCommands(), kernelCommands(), archiveCommands(), netCommands(),
		systemCommands(), daemonCommands(), mountCommands(), pingCommands(), lockCommands(), packageCommands(),
	} {
		maps.Copy(all, family)
	}
	return all
}

// name is what the command calls itself in messages.
func (p *Process) name() string { return path.Base(p.Args[0]) }

// put writes to an output of a process. A process whose output nobody reads ends by its context or with its input, so
// there is nothing to do about an error here.
func put(w io.Writer, format string, args ...any) {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return
	}
}

// fail prints "name: text" and returns the exit code 1.
func (p *Process) fail(format string, args ...any) int {
	put(p.Stderr, p.name()+": "+format+"\n", args...)
	return 1
}

// failAt is fail for an error about a file, in the words of the C library.
func (p *Process) failAt(file string, err error) int {
	if errors.Is(err, syscall.EPIPE) {
		return 128 + 13 // SIGPIPE ends a command silently
	}
	return p.fail("%s: %s", file, strerror(err))
}

func (p *Process) printf(format string, args ...any) {
	put(p.Stdout, format, args...)
}

// flags is an empty set of options for the command.
func (p *Process) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet(p.name(), pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.SortFlags = false
	return f
}

// parse reads the options; ok is false, and the message printed, for one the command does not have.
func (p *Process) parse(f *pflag.FlagSet) (args []string, ok bool) {
	if err := f.Parse(p.Args[1:]); err != nil {
		p.fail("%v", err)
		return nil, false
	}
	return f.Args(), true
}

// parseLeading is parse for commands that run another one: options end at the first operand.
func (p *Process) parseLeading(f *pflag.FlagSet) (args []string, ok bool) {
	f.SetInterspersed(false)
	return p.parse(f)
}

// open opens a file for reading; "-" is standard input.
func (p *Process) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), nil
	}
	if d, ok := openDevice(p, p.Path(name)); ok {
		return d, nil
	}
	f, err := p.FS().OpenFile(p.Path(name), 0, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// eachInput calls do with every named file, or with standard input when there are none, and returns the exit code.
func (p *Process) eachInput(ctx context.Context, files []string, do func(name string, r io.Reader) error) int {
	if len(files) == 0 {
		files = []string{"-"}
	}
	code := 0
	for _, name := range files {
		if ctx.Err() != nil {
			return 128 + 15
		}
		if err := p.input(name, do); err != nil {
			code = p.failAt(name, err)
		}
	}
	return code
}

func (p *Process) input(name string, do func(name string, r io.Reader) error) error {
	r, err := p.open(name)
	if err != nil {
		return err
	}
	return errors.Join(do(name, r), r.Close())
}

// readAll reads all named files, or standard input, one after the other.
func (p *Process) readAll(ctx context.Context, files []string) ([]byte, int) {
	var all []byte
	code := p.eachInput(ctx, files, func(_ string, r io.Reader) error {
		data, err := io.ReadAll(r)
		all = append(all, data...)
		return err
	})
	return all, code
}
