package machine

import (
	"context"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func shellCommands() map[string]Program {
	all := map[string]Program{
		"sh": cmdSh, "dash": cmdSh, "bash": cmdSh, "env": cmdEnv, "xargs": cmdXargs, "nohup": cmdNohup, "setsid": cmdNohup,
	}
	// These are builtins of the shell that must also exist as programs, for sudo, timeout, xargs and find.
	for _, name := range []string{"true", "false", "echo", "printf", "test", "[", "pwd"} {
		all[name] = viaShell
	}
	return all
}

// viaShell runs a builtin of the shell as a program.
func viaShell(ctx context.Context, p *Process) int {
	words := make([]string, len(p.Args))
	for n, a := range p.Args {
		words[n] = shellQuote(a)
	}
	words[0] = p.name()
	return p.Machine.shell(ctx, p, script{name: p.name(), text: []byte(strings.Join(words, " "))})
}

// cmdSh is /bin/sh: -c TEXT, -s, or a file; options such as -e, -u and -x, alone or together.
func cmdSh(ctx context.Context, p *Process) int {
	s := script{name: p.Args[0]}
	args := p.Args[1:]
	fromStdin, fromArg := false, false
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			break
		}
		if arg == "-o" && len(args) > 0 {
			s.options = append(s.options, "-o", args[0])
			args = args[1:]
			continue
		}
		fromStdin = fromStdin || strings.Contains(arg, "s")
		fromArg = fromArg || strings.Contains(arg, "c")
		if rest := strings.NewReplacer("s", "", "c", "", "l", "", "i", "").Replace(arg[1:]); rest != "" {
			s.options = append(s.options, arg[:1]+rest)
		}
	}
	switch {
	case fromArg:
		if len(args) == 0 {
			return 1 + p.fail("-c requires an argument")
		}
		s.text, args = []byte(args[0]), args[1:]
		if len(args) > 0 {
			s.name, args = args[0], args[1:]
		}
	case fromStdin || len(args) == 0:
		text, err := io.ReadAll(p.Stdin)
		if err != nil {
			return p.fail("%s", strerror(err))
		}
		s.text = text
		p.Stdin = strings.NewReader("")
	default:
		text, err := p.FS().ReadFile(p.Path(args[0]))
		if err != nil {
			return 1 + p.fail("0: cannot open %s: %s", args[0], strerror(err))
		}
		s.name, s.text, args = args[0], text, args[1:]
	}
	s.params = args
	return p.Machine.shell(ctx, p, s)
}

func cmdEnv(ctx context.Context, p *Process) int {
	f := p.flags()
	ignore := f.BoolP("ignore-environment", "i", false, "")
	unset := f.StringArrayP("unset", "u", nil, "")
	args, ok := p.parseLeading(f)
	if !ok {
		return 125
	}
	child := p.child()
	if *ignore {
		child.Env = map[string]string{umaskVar: p.Env[umaskVar]}
	}
	for _, name := range *unset {
		delete(child.Env, name)
	}
	for len(args) > 0 {
		name, value, ok := strings.Cut(args[0], "=")
		if !ok {
			break
		}
		child.Env[name] = value
		args = args[1:]
	}
	if len(args) > 0 {
		child.Args = args
		return p.Machine.run(ctx, child)
	}
	for _, name := range slices.Sorted(maps.Keys(child.Env)) {
		if name != umaskVar {
			p.printf("%s=%s\n", name, child.Env[name])
		}
	}
	return 0
}

// cmdXargs splits its input at blanks (or at NUL) and runs the command with the words, -n at a time; -I runs it per line.
func cmdXargs(ctx context.Context, p *Process) int {
	f := p.flags()
	null := f.BoolP("null", "0", false, "")
	noRun := f.BoolP("no-run-if-empty", "r", false, "")
	maxArgs := f.IntP("max-args", "n", 1<<30, "")
	replace := f.StringP("replace", "I", "", "")
	args, ok := p.parseLeading(f)
	if !ok {
		return 1
	}
	if len(args) == 0 {
		args = []string{"echo"}
	}
	data, err := io.ReadAll(p.Stdin)
	if err != nil {
		return p.fail("%s", strerror(err))
	}
	words := strings.Fields(string(data))
	switch {
	case *null:
		words = strings.FieldsFunc(string(data), func(r rune) bool { return r == 0 })
	case *replace != "":
		words = strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' })
		*maxArgs = 1
	}
	if len(words) == 0 && (*noRun || *replace != "") {
		return 0
	}
	code := 0
	for first := true; first || len(words) > 0; first = false {
		n := min(*maxArgs, len(words))
		child := p.child(xargsLine(args, words[:n], *replace)...)
		child.Stdin = strings.NewReader("")
		words = words[n:]
		switch status := p.Machine.run(ctx, child); {
		case status == exitNotFound || status == exitCannotRun:
			return status
		case status != 0:
			code = 123
		}
	}
	return code
}

func xargsLine(args, words []string, replace string) []string {
	if replace == "" {
		return append(slices.Clone(args), words...)
	}
	line := make([]string, len(args))
	for n, a := range args {
		line[n] = strings.ReplaceAll(a, replace, strings.Join(words, ""))
	}
	return line
}

// cmdNohup runs the command so that a broken connection does not end it.
func cmdNohup(_ context.Context, p *Process) int {
	if len(p.Args) < 2 {
		return p.fail("missing operand")
	}
	return p.Machine.run(p.life, p.child(p.Args[1:]...))
}

func parseSeconds(s string) (seconds float64, err error) {
	unit := 1.0
	for suffix, factor := range map[string]float64{"s": 1, "m": 60, "h": 3600, "d": 86400} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = rest, factor
			break
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	return n * unit, err
}
