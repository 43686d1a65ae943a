package machine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// cmdSed knows the commands s, p, d and q with line and pattern addresses; -i writes the file anew.
func cmdSed(ctx context.Context, p *Process) int {
	f := p.flags()
	quiet := f.BoolP("quiet", "n", false, "")
	inPlace, extended := f.BoolP("in-place", "i", false, ""), f.BoolP("regexp-extended", "E", false, "")
	f.BoolVarP(extended, "regexp-extended-gnu", "r", false, "")
	expressions := f.StringArrayP("expression", "e", nil, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	if len(*expressions) == 0 {
		if len(args) == 0 {
			return p.fail("a script is missing")
		}
		*expressions, args = args[:1], args[1:]
	}
	var program []sedCommand
	for _, e := range *expressions {
		commands, err := parseSed(e, *extended)
		if err != nil {
			return p.fail("-e expression #1: %v", err)
		}
		program = append(program, commands...)
	}
	if !*inPlace {
		data, code := p.readAll(ctx, args)
		p.printf("%s", runSed(program, string(data), *quiet))
		return code
	}
	for _, name := range args {
		if err := sedInPlace(p, name, program, *quiet); err != nil {
			return p.failAt(name, err)
		}
	}
	return 0
}

func sedInPlace(p *Process, name string, program []sedCommand, quiet bool) error {
	info, err := p.FS().Stat(p.Path(name))
	if err != nil {
		return err
	}
	data, err := p.FS().ReadFile(p.Path(name))
	if err != nil {
		return err
	}
	return p.FS().WriteFile(p.Path(name), []byte(runSed(program, string(data), quiet)), info.Mode())
}

type sedCommand struct {
	from, to *sedAddress
	negate   bool
	verb     byte
	re       *regexp.Regexp
	with     string // replacement in Go's syntax
	global   bool
	print    bool
	nth      int
}

type sedAddress struct {
	line int
	last bool
	re   *regexp.Regexp
}

// parseSed reads commands separated by semicolons and newlines.
func parseSed(script string, extended bool) ([]sedCommand, error) {
	var commands []sedCommand
	rest := strings.TrimLeft(script, "; \t\n")
	for rest != "" {
		c, after, err := parseSedCommand(rest, extended)
		if err != nil {
			return nil, err
		}
		commands = append(commands, c)
		rest = strings.TrimLeft(after, " \t")
		if rest != "" && rest[0] != ';' && rest[0] != '\n' {
			return nil, fmt.Errorf("extra characters after command: %q", rest)
		}
		rest = strings.TrimLeft(rest, "; \t\n")
	}
	return commands, nil
}

func parseSedCommand(s string, extended bool) (c sedCommand, rest string, err error) {
	if c.from, s, err = parseSedAddress(s, extended); err != nil {
		return c, "", err
	}
	if c.from != nil && strings.HasPrefix(s, ",") {
		if c.to, s, err = parseSedAddress(s[1:], extended); err != nil {
			return c, "", err
		}
	}
	s = strings.TrimLeft(s, " \t")
	if strings.HasPrefix(s, "!") {
		c.negate, s = true, s[1:]
	}
	if s == "" {
		return c, "", errors.New("missing command")
	}
	c.verb = s[0]
	switch c.verb {
	case 'p', 'd', 'q':
		return c, s[1:], nil
	case 's':
		rest, err = c.parseSubstitute(s[1:], extended)
		return c, rest, err
	}
	return c, "", fmt.Errorf("unknown command: `%c'", c.verb)
}

func parseSedAddress(s string, extended bool) (*sedAddress, string, error) {
	switch {
	case strings.HasPrefix(s, "$"):
		return &sedAddress{last: true}, s[1:], nil
	case strings.HasPrefix(s, "/"):
		expr, rest, err := sedPart(s[1:], '/')
		if err != nil {
			return nil, "", err
		}
		re, err := sedRegexp(expr, extended, "")
		return &sedAddress{re: re}, rest, err
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if digits == 0 {
		return nil, s, nil
	}
	line, err := strconv.Atoi(s[:digits])
	return &sedAddress{line: line}, s[digits:], err
}

// sedPart reads up to the delimiter; a delimiter behind a backslash is part of the text.
func sedPart(s string, delimiter byte) (part, rest string, err error) {
	var b strings.Builder
	for n := 0; n < len(s); n++ {
		switch {
		case s[n] == '\\' && n+1 < len(s) && s[n+1] == delimiter:
			n++
			b.WriteByte(delimiter)
		case s[n] == '\\' && n+1 < len(s):
			b.WriteString(s[n : n+2])
			n++
		case s[n] == delimiter:
			return b.String(), s[n+1:], nil
		default:
			b.WriteByte(s[n])
		}
	}
	return "", "", errors.New("unterminated expression")
}

func sedRegexp(expr string, extended bool, flags string) (*regexp.Regexp, error) {
	goExpr, err := posixRegexp(expr, extended)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(flags + goExpr)
}

func (c *sedCommand) parseSubstitute(s string, extended bool) (rest string, err error) {
	if s == "" {
		return "", errors.New("unterminated `s' command")
	}
	expr, after, err := sedPart(s[1:], s[0])
	if err != nil {
		return "", errors.New("unterminated `s' command")
	}
	with, rest, err := sedPart(after, s[0])
	if err != nil {
		return "", errors.New("unterminated `s' command")
	}
	c.with = goReplacement(with)
	rest, flags := c.substituteFlags(rest)
	c.re, err = sedRegexp(expr, extended, flags)
	return rest, err
}

func (c *sedCommand) substituteFlags(rest string) (after, reFlags string) {
	flags := ""
	c.nth = 1
	for rest != "" && strings.IndexByte("gpIi123456789", rest[0]) >= 0 {
		switch rest[0] {
		case 'g':
			c.global = true
		case 'p':
			c.print = true
		case 'I', 'i':
			flags = "(?i)"
		default:
			c.nth = int(rest[0] - '0')
		}
		rest = rest[1:]
	}
	return rest, flags
}

// goReplacement turns & and \1 into Go's ${0} and ${1}.
func goReplacement(s string) string {
	var b strings.Builder
	for n := 0; n < len(s); n++ {
		switch {
		case s[n] == '$':
			b.WriteString("$$")
		case s[n] == '&':
			b.WriteString("${0}")
		case s[n] == '\\' && n+1 < len(s):
			n++
			switch {
			case s[n] >= '0' && s[n] <= '9':
				b.WriteString("${" + string(s[n]) + "}")
			case s[n] == 'n':
				b.WriteByte('\n')
			case s[n] == 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(s[n])
			}
		default:
			b.WriteByte(s[n])
		}
	}
	return b.String()
}

func runSed(program []sedCommand, text string, quiet bool) string {
	var out strings.Builder
	lines := slices.Collect(strings.Lines(text))
	inside := make([]bool, len(program))
	for n, line := range lines {
		body, newline := strings.CutSuffix(line, "\n")
		end := ""
		if newline {
			end = "\n"
		}
		deleted, quit := false, false
		for k := range program {
			c := &program[k]
			if c.applies(body, n+1, n == len(lines)-1, &inside[k]) == c.negate {
				continue
			}
			switch c.verb {
			case 'p':
				out.WriteString(body + "\n")
			case 'd':
				deleted = true
			case 'q':
				quit = true
			case 's':
				var changed bool
				body, changed = c.substitute(body)
				if changed && c.print {
					out.WriteString(body + "\n")
				}
			}
			if deleted || quit {
				break
			}
		}
		if !deleted && !quiet {
			out.WriteString(body + end)
		}
		if quit {
			break
		}
	}
	return out.String()
}

func (a *sedAddress) matches(body string, line int, last bool) bool {
	return a.last && last || a.line == line && a.line > 0 || a.re != nil && a.re.MatchString(body)
}

// applies tells whether the line is selected; inside remembers an open range between lines.
func (c *sedCommand) applies(body string, line int, last bool, inside *bool) bool {
	switch {
	case c.from == nil:
		return true
	case c.to == nil:
		return c.from.matches(body, line, last)
	case *inside:
		if c.to.matches(body, line, last) || c.to.line > 0 && line >= c.to.line {
			*inside = false
			return c.to.line == 0 || line <= c.to.line
		}
		return true
	case c.from.matches(body, line, last):
		*inside = c.to.line == 0 || c.to.line > line
		return true
	}
	return false
}

func (c *sedCommand) substitute(body string) (string, bool) {
	var out strings.Builder
	at, count := 0, 0
	for _, m := range c.re.FindAllStringSubmatchIndex(body, -1) {
		if count++; count < c.nth || count > c.nth && !c.global {
			continue
		}
		out.WriteString(body[at:m[0]])
		out.Write(c.re.ExpandString(nil, c.with, body, m))
		at = m[1]
	}
	out.WriteString(body[at:])
	return out.String(), at > 0 || count >= c.nth
}
