package machine

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
)

func cmdTr(_ context.Context, p *Process) int {
	f := p.flags()
	remove, squeeze := f.BoolP("delete", "d", false, ""), f.BoolP("squeeze-repeats", "s", false, "")
	complement := f.BoolP("complement", "c", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) == 0 {
		return p.fail("missing operand")
	}
	from, err := trSet(args[0])
	if err != nil {
		return p.fail("%v", err)
	}
	var to []byte
	if len(args) > 1 {
		if to, err = trSet(args[1]); err != nil {
			return p.fail("%v", err)
		}
	}
	data, err := io.ReadAll(p.Stdin)
	if err != nil {
		return p.fail("read error: %s", strerror(err))
	}
	t := translation{from: string(from), to: to, remove: *remove, squeeze: *squeeze, complement: *complement}
	if _, err := p.Stdout.Write(t.apply(data)); err != nil {
		return p.fail("write error: %s", strerror(err))
	}
	return 0
}

type translation struct {
	from                        string
	to                          []byte
	remove, squeeze, complement bool
}

func (t translation) apply(data []byte) []byte {
	var out []byte
	for _, b := range data {
		at := strings.IndexByte(t.from, b)
		hit := at >= 0
		if t.complement {
			hit, at = !hit, len(t.to)-1
		}
		if hit && t.remove {
			continue
		}
		c := b
		if hit && len(t.to) > 0 {
			c = t.to[min(at, len(t.to)-1)]
		}
		if hit && t.squeeze && len(out) > 0 && out[len(out)-1] == c {
			continue
		}
		out = append(out, c)
	}
	return out
}

var trClasses = map[string]string{
	"[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "[:lower:]": "abcdefghijklmnopqrstuvwxyz", "[:digit:]": "0123456789",
	"[:alpha:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	"[:alnum:]": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	"[:space:]": " \t\n\v\f\r", "[:blank:]": " \t",
}

// trSet expands escapes, ranges and classes of an operand of tr.
func trSet(s string) ([]byte, error) {
	for class, members := range trClasses {
		s = strings.ReplaceAll(s, class, members)
	}
	var set []byte
	for n := 0; n < len(s); n++ {
		b := s[n]
		if b == '\\' && n+1 < len(s) {
			n++
			b = trEscape(s[n])
		}
		if n+2 < len(s) && s[n+1] == '-' {
			if s[n+2] < b {
				return nil, errors.New("range-endpoints are in reverse collating sequence order")
			}
			for c := int(b); c <= int(s[n+2]); c++ {
				set = append(set, byte(c))
			}
			n += 2
			continue
		}
		set = append(set, b)
	}
	return set, nil
}

func trEscape(b byte) byte {
	switch b {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case '0':
		return 0
	}
	return b
}

func cmdCut(ctx context.Context, p *Process) int {
	f := p.flags()
	delimiter := f.StringP("delimiter", "d", "\t", "")
	fields, chars := f.StringP("fields", "f", "", ""), f.StringP("characters", "c", "", "")
	only := f.BoolP("only-delimited", "s", false, "")
	args, ok := p.parse(f)
	if !ok || (*fields == "") == (*chars == "") {
		return p.fail("you must specify a list of bytes, characters, or fields")
	}
	ranges, err := cutRanges(*fields + *chars)
	if err != nil {
		return p.fail("%v", err)
	}
	return p.eachInput(ctx, args, func(_ string, r io.Reader) error {
		lines, err := readLines(r)
		for _, line := range lines {
			line = strings.TrimSuffix(line, "\n")
			if *chars != "" {
				p.printf("%s\n", strings.Join(pick(strings.Split(line, ""), ranges), ""))
				continue
			}
			if !strings.Contains(line, *delimiter) {
				if !*only {
					p.printf("%s\n", line)
				}
				continue
			}
			p.printf("%s\n", strings.Join(pick(strings.Split(line, *delimiter), ranges), *delimiter))
		}
		return err
	})
}

// span is an inclusive range of fields, counted from 1; to is 0 for "to the end".
type span struct{ from, to int }

func cutRanges(list string) ([]span, error) {
	var spans []span
	for _, part := range strings.Split(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		s := span{from: 1}
		var err error
		if from != "" {
			if s.from, err = strconv.Atoi(from); err != nil || s.from < 1 {
				return nil, errors.New("invalid field value '" + from + "'")
			}
		}
		switch {
		case !isRange:
			s.to = s.from
		case to != "":
			if s.to, err = strconv.Atoi(to); err != nil {
				return nil, errors.New("invalid field value '" + to + "'")
			}
		}
		spans = append(spans, s)
	}
	return spans, nil
}

func pick(fields []string, spans []span) []string {
	var out []string
	for n, field := range fields {
		for _, s := range spans {
			if n+1 >= s.from && (s.to == 0 || n+1 <= s.to) {
				out = append(out, field)
				break
			}
		}
	}
	return out
}
