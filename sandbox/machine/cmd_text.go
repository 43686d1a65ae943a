package machine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func textCommands() map[string]Program {
	return map[string]Program{
		"cat": cmdCat, "head": cmdHead, "tail": cmdTail, "wc": cmdWc, "tee": cmdTee, "tr": cmdTr, "cut": cmdCut,
		"sort": cmdSort, "uniq": cmdUniq, "cmp": cmdCmp, "paste": cmdPaste,
	}
}

func cmdCat(ctx context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("unbuffered", "u", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	return p.eachInput(ctx, args, func(_ string, r io.Reader) error {
		_, err := io.Copy(p.Stdout, r)
		return err
	})
}

var oldCount = regexp.MustCompile(`^-([0-9]+)$`)

// lineCount reads -n N, -c N and the old form -N.
func lineCount(p *Process) (count string, bytes bool, files []string, ok bool) {
	for n := 1; n < len(p.Args); n++ {
		if m := oldCount.FindStringSubmatch(p.Args[n]); m != nil && p.Args[n-1] != "-n" && p.Args[n-1] != "-c" {
			p.Args[n] = "-n" + m[1]
		}
	}
	f := p.flags()
	lines := f.StringP("lines", "n", "10", "")
	size := f.StringP("bytes", "c", "", "")
	f.BoolP("quiet", "q", false, "")
	files, ok = p.parse(f)
	if *size != "" {
		return *size, true, files, ok
	}
	return *lines, false, files, ok
}

func cmdHead(ctx context.Context, p *Process) int {
	count, asBytes, files, ok := lineCount(p)
	n, err := strconv.Atoi(count)
	if !ok || err != nil {
		return p.fail("invalid number of lines: '%s'", count)
	}
	return p.eachInput(ctx, files, func(_ string, r io.Reader) error {
		if asBytes {
			_, err := io.CopyN(p.Stdout, r, int64(n))
			return ignoreEOF(err)
		}
		return headLines(p.Stdout, r, n)
	})
}

func headLines(w io.Writer, r io.Reader, n int) error {
	if n < 0 { // all but the last -n
		lines, err := readLines(r)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, strings.Join(lines[:max(len(lines)+n, 0)], ""))
		return err
	}
	b := bufio.NewReader(r)
	for ; n > 0; n-- {
		line, err := b.ReadString('\n')
		if _, werr := io.WriteString(w, line); werr != nil {
			return werr
		}
		if err != nil {
			return ignoreEOF(err)
		}
	}
	return nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// readLines splits the input after each newline.
func readLines(r io.Reader) ([]string, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return slices.Collect(strings.Lines(string(data))), nil
}

func cmdTail(ctx context.Context, p *Process) int {
	count, asBytes, files, ok := lineCount(p)
	n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimPrefix(count, "+"), "-"))
	if !ok || err != nil {
		return p.fail("invalid number of lines: '%s'", count)
	}
	fromStart := strings.HasPrefix(count, "+")
	return p.eachInput(ctx, files, func(_ string, r io.Reader) error {
		var parts []string
		if asBytes {
			data, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			for _, b := range data {
				parts = append(parts, string([]byte{b}))
			}
		} else if parts, err = readLines(r); err != nil {
			return err
		}
		from := max(len(parts)-n, 0)
		if fromStart {
			from = min(max(n-1, 0), len(parts))
		}
		_, err := io.WriteString(p.Stdout, strings.Join(parts[from:], ""))
		return err
	})
}

func cmdWc(ctx context.Context, p *Process) int {
	f := p.flags()
	lines, words := f.BoolP("lines", "l", false, ""), f.BoolP("words", "w", false, "")
	size, chars := f.BoolP("bytes", "c", false, ""), f.BoolP("chars", "m", false, "")
	files, ok := p.parse(f)
	if !ok {
		return 1
	}
	if !*lines && !*words && !*size && !*chars {
		*lines, *words, *size = true, true, true
	}
	return p.eachInput(ctx, files, func(name string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var out []string
		for _, c := range []struct {
			on bool
			n  int
		}{
			{*lines, bytes.Count(data, []byte("\n"))}, {*words, len(bytes.Fields(data))},
			{*chars, utf8.RuneCount(data)}, {*size, len(data)},
		} {
			if c.on {
				out = append(out, strconv.Itoa(c.n))
			}
		}
		if name != "-" {
			out = append(out, name)
		}
		p.printf("%s\n", strings.Join(out, " "))
		return nil
	})
}

func cmdTee(_ context.Context, p *Process) int {
	f := p.flags()
	appendTo := f.BoolP("append", "a", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	flag := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if *appendTo {
		flag = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	code := 0
	writers := []io.Writer{p.Stdout}
	for _, name := range args {
		if d, ok := openDevice(p, p.Path(name)); ok {
			writers = append(writers, d)
			continue
		}
		file, err := p.FS().OpenFile(p.Path(name), flag, p.created(0o666))
		if err != nil {
			code = p.failAt(name, err)
			continue
		}
		defer closeQuietly(file)
		writers = append(writers, file)
	}
	if _, err := io.Copy(io.MultiWriter(writers...), p.Stdin); err != nil {
		return p.fail("%s", strerror(err))
	}
	return code
}

func cmdSort(ctx context.Context, p *Process) int {
	f := p.flags()
	unique, reverse := f.BoolP("unique", "u", false, ""), f.BoolP("reverse", "r", false, "")
	numeric := f.BoolP("numeric-sort", "n", false, "")
	version := f.BoolP("version-sort", "V", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 2
	}
	data, code := p.readAll(ctx, args)
	lines := slices.Collect(strings.Lines(string(data)))
	for n := range lines {
		lines[n] = strings.TrimSuffix(lines[n], "\n")
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		c := strings.Compare(a, b)
		switch {
		case *numeric:
			if d := leadingNumber(a) - leadingNumber(b); d != 0 {
				c = int(d)
			}
		case *version:
			c = compareVersions(a, b)
		}
		if *reverse {
			return -c
		}
		return c
	})
	if *unique {
		lines = slices.Compact(lines)
	}
	for _, l := range lines {
		p.printf("%s\n", l)
	}
	return code
}

func leadingNumber(s string) int64 {
	m := regexp.MustCompile(`^\s*(-?[0-9]+)`).FindStringSubmatch(s)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

var versionParts = regexp.MustCompile(`[0-9]+|[^0-9]+`)

func compareVersions(a, b string) int {
	pa, pb := versionParts.FindAllString(a, -1), versionParts.FindAllString(b, -1)
	return slices.CompareFunc(pa, pb, func(x, y string) int {
		nx, ex := strconv.Atoi(x)
		ny, ey := strconv.Atoi(y)
		if ex == nil && ey == nil {
			return nx - ny
		}
		return strings.Compare(x, y)
	})
}

func cmdUniq(ctx context.Context, p *Process) int {
	f := p.flags()
	count, repeated := f.BoolP("count", "c", false, ""), f.BoolP("repeated", "d", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	data, code := p.readAll(ctx, args)
	lines := slices.Collect(strings.Lines(string(data)))
	for from := 0; from < len(lines); {
		to := from
		for to < len(lines) && lines[to] == lines[from] {
			to++
		}
		switch {
		case *repeated && to-from < 2:
		case *count:
			p.printf("%7d %s", to-from, lines[from])
		default:
			p.printf("%s", lines[from])
		}
		from = to
	}
	return code
}

func cmdCmp(_ context.Context, p *Process) int {
	f := p.flags()
	silent := f.BoolP("silent", "s", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) != 2 {
		p.fail("two files are needed")
		return 2
	}
	var data [2][]byte
	for n, name := range args {
		err := p.input(name, func(_ string, r io.Reader) (err error) {
			data[n], err = io.ReadAll(r)
			return err
		})
		if err != nil {
			p.failAt(name, err)
			return 2
		}
	}
	if bytes.Equal(data[0], data[1]) {
		return 0
	}
	if !*silent {
		at := 0
		for at < len(data[0]) && at < len(data[1]) && data[0][at] == data[1][at] {
			at++
		}
		p.printf("%s %s differ: byte %d, line %d\n", args[0], args[1], at+1, 1+bytes.Count(data[0][:at], []byte("\n")))
	}
	return 1
}

func cmdPaste(ctx context.Context, p *Process) int {
	f := p.flags()
	serial := f.BoolP("serial", "s", false, "")
	delimiter := f.StringP("delimiters", "d", "\t", "")
	args, ok := p.parse(f)
	if !ok || !*serial {
		return p.fail("only paste -s is known here")
	}
	return p.eachInput(ctx, args, func(_ string, r io.Reader) error {
		lines, err := readLines(r)
		if err != nil {
			return err
		}
		for n := range lines {
			lines[n] = strings.TrimSuffix(lines[n], "\n")
		}
		p.printf("%s\n", strings.Join(lines, *delimiter))
		return nil
	})
}
