package machine

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
)

func grepCommands() map[string]Program {
	grep := func(variant string) Program {
		return func(ctx context.Context, p *Process) int { return cmdGrep(ctx, p, variant) }
	}
	return map[string]Program{"grep": grep(""), "egrep": grep("E"), "fgrep": grep("F"), "sed": cmdSed}
}

type grepOptions struct {
	quiet, fixed, whole, extended, invert, count bool
	noMessages, ignoreCase, names, list, only    bool
	number, noNames, word                        bool
	patterns                                     []string
}

// cmdGrep exits with 0 when a line was selected, 1 when none was and 2 after an error.
func cmdGrep(ctx context.Context, p *Process, variant string) int {
	o := grepOptions{fixed: variant == "F", extended: variant == "E"}
	args, ok := o.parse(p)
	if !ok {
		return 2
	}
	re, err := o.compile()
	if err != nil {
		p.fail("%v", err)
		return 2
	}
	o.names = (o.names || len(args) > 1) && !o.noNames
	selected := false
	code := 0
	if len(args) == 0 {
		args = []string{"-"}
	}
	for _, name := range args {
		err := p.input(name, func(name string, r io.Reader) error {
			hit, err := o.search(ctx, p, name, r, re)
			selected = selected || hit
			return err
		})
		if err != nil {
			code = 2
			if !o.noMessages {
				p.failAt(name, err)
			}
		}
	}
	switch {
	case selected && (code == 0 || o.quiet):
		return 0
	case code != 0:
		return code
	}
	return 1
}

func (o *grepOptions) parse(p *Process) ([]string, bool) {
	f := p.flags()
	var basic bool
	for _, b := range []struct {
		at          *bool
		long, short string
	}{
		{&o.quiet, "quiet", "q"}, {&o.fixed, "fixed-strings", "F"}, {&o.whole, "line-regexp", "x"},
		{&o.extended, "extended-regexp", "E"}, {&o.invert, "invert-match", "v"}, {&o.count, "count", "c"},
		{&o.noMessages, "no-messages", "s"}, {&o.ignoreCase, "ignore-case", "i"}, {&o.names, "with-filename", "H"},
		{&o.list, "files-with-matches", "l"}, {&o.only, "only-matching", "o"}, {&o.number, "line-number", "n"},
		{&o.noNames, "no-filename", "h"}, {&o.word, "word-regexp", "w"}, {&basic, "basic-regexp", "G"},
	} {
		f.BoolVarP(b.at, b.long, b.short, *b.at, "")
	}
	f.StringArrayVarP(&o.patterns, "regexp", "e", nil, "")
	args, ok := p.parse(f)
	if !ok {
		return nil, false
	}
	if len(o.patterns) == 0 {
		if len(args) == 0 {
			p.fail("a pattern is missing")
			return nil, false
		}
		o.patterns, args = args[:1], args[1:]
	}
	return args, true
}

func (o *grepOptions) compile() (*regexp.Regexp, error) {
	var alternatives []string
	for _, arg := range o.patterns {
		for _, pattern := range strings.Split(arg, "\n") {
			expr, err := regexp.QuoteMeta(pattern), error(nil)
			if !o.fixed {
				expr, err = posixRegexp(pattern, o.extended)
			}
			if err != nil {
				return nil, err
			}
			if o.word {
				expr = `\b(?:` + expr + `)\b`
			}
			if o.whole {
				expr = `^(?:` + expr + `)$`
			}
			alternatives = append(alternatives, "(?:"+expr+")")
		}
	}
	flags := ""
	if o.ignoreCase {
		flags = "(?i)"
	}
	return regexp.Compile(flags + strings.Join(alternatives, "|"))
}

func (o *grepOptions) search(ctx context.Context, p *Process, name string, r io.Reader, re *regexp.Regexp) (bool, error) {
	lines, err := readLines(r)
	if err != nil {
		return false, err
	}
	prefix := ""
	if o.names {
		prefix = name + ":"
	}
	count := 0
	for n, line := range lines {
		if ctx.Err() != nil {
			return count > 0, ctx.Err()
		}
		line = strings.TrimSuffix(line, "\n")
		if re.MatchString(line) == o.invert {
			continue
		}
		count++
		switch {
		case o.quiet || o.list:
			if o.list {
				p.printf("%s\n", name)
			}
			return true, nil
		case o.count:
		case o.only:
			for _, m := range re.FindAllString(line, -1) {
				p.printf("%s%s\n", prefix, m)
			}
		case o.number:
			p.printf("%s%d:%s\n", prefix, n+1, line)
		default:
			p.printf("%s%s\n", prefix, line)
		}
	}
	if o.count {
		p.printf("%s%d\n", prefix, count)
	}
	return count > 0, nil
}

// posixRegexp translates a POSIX regular expression, basic or extended, to Go's syntax. Back-references do not exist in it.
func posixRegexp(s string, extended bool) (string, error) {
	var b strings.Builder
	for n := 0; n < len(s); n++ {
		c := s[n]
		switch {
		case c == '[':
			end := bracketEnd(s, n)
			if end < 0 {
				return "", errors.New("unmatched [, [^, [:, [., or [=")
			}
			b.WriteString(bracket(s[n : end+1]))
			n = end
		case c == '\\' && n+1 < len(s):
			n++
			if s[n] >= '1' && s[n] <= '9' {
				return "", errors.New("back-references are not known here")
			}
			b.WriteString(escaped(s[n], extended))
		case c == '\\':
			return "", errors.New("trailing backslash")
		case !extended && strings.IndexByte("+?(){}|", c) >= 0:
			b.WriteString(`\` + string(c))
		case !extended && c == '*' && atStart(s, n):
			b.WriteString(`\*`)
		case !extended && (c == '^' && !atStart(s, n) || c == '$' && !atEnd(s, n)):
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	if _, err := regexp.Compile(b.String()); err != nil {
		return "", errors.New("invalid regular expression")
	}
	return b.String(), nil
}

// escaped is what a backslash before c means.
func escaped(c byte, extended bool) string {
	switch {
	case !extended && strings.IndexByte("+?(){}|", c) >= 0:
		return string(c)
	case strings.IndexByte("wWsSbBnt", c) >= 0:
		return `\` + string(c)
	case c == '<' || c == '>':
		return `\b`
	}
	return regexp.QuoteMeta(string(c))
}

func atStart(s string, n int) bool {
	return n == 0 || strings.HasSuffix(s[:n], `\(`) || strings.HasSuffix(s[:n], `\|`) || s[:n] == "^"
}

func atEnd(s string, n int) bool {
	return n == len(s)-1 || strings.HasPrefix(s[n+1:], `\)`) || strings.HasPrefix(s[n+1:], `\|`)
}

func bracketEnd(s string, from int) int {
	n := from + 1
	if n < len(s) && s[n] == '^' {
		n++
	}
	if n < len(s) && s[n] == ']' {
		n++
	}
	for ; n < len(s); n++ {
		if s[n] == '[' && n+1 < len(s) && s[n+1] == ':' {
			if end := strings.Index(s[n:], ":]"); end > 0 {
				n += end + 1
				continue
			}
		}
		if s[n] == ']' {
			return n
		}
	}
	return -1
}

// bracket escapes what is literal in a POSIX bracket expression but not in Go's.
func bracket(s string) string {
	inner := s[1 : len(s)-1]
	negate := ""
	if strings.HasPrefix(inner, "^") {
		negate, inner = "^", inner[1:]
	}
	inner = strings.ReplaceAll(inner, `\`, `\\`)
	if strings.HasPrefix(inner, "]") {
		inner = `\]` + inner[1:]
	}
	var b strings.Builder
	for n := 0; n < len(inner); n++ {
		if inner[n] == '[' && (n+1 >= len(inner) || inner[n+1] != ':') {
			b.WriteByte('\\')
		}
		b.WriteByte(inner[n])
	}
	return "[" + negate + b.String() + "]"
}
