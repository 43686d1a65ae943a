package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

func listCommands() map[string]Program {
	return map[string]Program{"ls": cmdLs, "stat": cmdStat, "find": cmdFind, "readlink": cmdReadlink, "realpath": cmdReadlink,
		"df": cmdDf, "du": cmdDu}
}

type lister struct {
	p                                *Process
	all, almost, long, dirs, reverse bool
	byTime                           bool
}

func cmdLs(_ context.Context, p *Process) int {
	l := lister{p: p}
	f := p.flags()
	f.BoolVarP(&l.all, "all", "a", false, "")
	f.BoolVarP(&l.almost, "almost-all", "A", false, "")
	f.BoolVarP(&l.long, "long", "l", false, "")
	f.BoolVarP(&l.dirs, "directory", "d", false, "")
	f.BoolVarP(&l.reverse, "reverse", "r", false, "")
	f.BoolVarP(&l.byTime, "time-order", "t", false, "")
	f.BoolP("one", "1", false, "")
	f.BoolP("numeric-uid-gid", "n", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 2
	}
	if len(args) == 0 {
		args = []string{"."}
	}
	code := 0
	slices.Sort(args)
	for n, name := range args {
		if err := l.list(name, len(args) > 1, n > 0); err != nil {
			p.fail("cannot access '%s': %s", name, strerror(err))
			code = 2
		}
	}
	return code
}

func (l lister) list(name string, titles, gap bool) error {
	fsys := l.p.FS()
	info, err := fsys.Lstat(l.p.Path(name))
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 && !l.long {
		if target, err := fsys.Stat(l.p.Path(name)); err == nil {
			info = target
		}
	}
	if !info.IsDir() || l.dirs {
		return l.line(name, l.p.Path(name), info)
	}
	entries, err := fsys.ReadDir(l.p.Path(name))
	if err != nil {
		return err
	}
	if titles {
		if gap {
			l.p.printf("\n")
		}
		l.p.printf("%s:\n", name)
	}
	return l.entries(l.p.Path(name), info, entries)
}

func (l lister) entries(dir string, self *Info, entries []fs.DirEntry) error {
	type row struct {
		name string
		info *Info
	}
	var rows []row
	if l.all {
		rows = append(rows, row{".", self}, row{"..", self})
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && !l.all && !l.almost {
			continue
		}
		info, err := l.p.FS().Lstat(dir + "/" + e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		rows = append(rows, row{e.Name(), info})
	}
	if l.byTime {
		slices.SortStableFunc(rows, func(a, b row) int { return b.info.ModTime().Compare(a.info.ModTime()) })
	}
	if l.reverse {
		slices.Reverse(rows)
	}
	if l.long {
		l.p.printf("total %d\n", len(rows)*4)
	}
	for _, r := range rows {
		if err := l.line(r.name, dir+"/"+r.name, r.info); err != nil {
			return err
		}
	}
	return nil
}

func (l lister) line(name, at string, info *Info) error {
	if !l.long {
		l.p.printf("%s\n", name)
		return nil
	}
	arrow := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := l.p.FS().Readlink(at)
		if err != nil {
			return err
		}
		arrow = " -> " + target
	}
	l.p.printf("%s 1 %s %s %d %s %s%s\n", modeString(info.Mode()), info.User, info.Group, info.Size(),
		info.ModTime().In(l.p.zone()).Format("Jan _2 15:04"), name, arrow)
	return nil
}

// modeString is the mode as ls -l writes it.
func modeString(m fs.FileMode) string {
	kind := map[fs.FileMode]string{fs.ModeDir: "d", fs.ModeSymlink: "l", fs.ModeNamedPipe: "p", fs.ModeSocket: "s"}[m.Type()]
	if kind == "" {
		kind = "-"
	}
	s := []byte(kind + m.Perm().String()[1:])
	for _, special := range []struct {
		bit fs.FileMode
		at  int
		c   byte
	}{{fs.ModeSetuid, 3, 's'}, {fs.ModeSetgid, 6, 's'}, {fs.ModeSticky, 9, 't'}} {
		if m&special.bit != 0 {
			c := special.c
			if s[special.at] == '-' {
				c -= 'a' - 'A'
			}
			s[special.at] = c
		}
	}
	return string(s)
}

func cmdStat(_ context.Context, p *Process) int {
	f := p.flags()
	format, raw := f.StringP("format", "c", "", ""), f.String("printf", "", "")
	deref := f.BoolP("dereference", "L", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) == 0 {
		return p.fail("missing operand")
	}
	layout := *format + "\n"
	switch {
	case *raw != "":
		layout = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`).Replace(*raw)
	case *format == "":
		layout = "  File: %n\n  Size: %s\t%F\nAccess: (%04a/%A)  Uid: (%u/%U)   Gid: (%g/%G)\nModify: %y\n"
	}
	code := 0
	for _, name := range args {
		stat := p.FS().Lstat
		if *deref {
			stat = p.FS().Stat
		}
		info, err := stat(p.Path(name))
		if err != nil {
			code = p.fail("cannot statx '%s': %s", name, strerror(err))
			continue
		}
		p.printf("%s", p.formatStat(layout, name, info))
	}
	return code
}

func (p *Process) formatStat(layout, name string, info *Info) string {
	var b strings.Builder
	for n := 0; n < len(layout); n++ {
		if layout[n] != '%' || n+1 == len(layout) {
			b.WriteByte(layout[n])
			continue
		}
		n++
		width := ""
		for n < len(layout)-1 && (layout[n] >= '0' && layout[n] <= '9') {
			width += string(layout[n])
			n++
		}
		value := p.statField(layout[n], name, info)
		if w, err := strconv.Atoi(width); err == nil && len(value) < w {
			value = strings.Repeat("0", w-len(value)) + value
		}
		b.WriteString(value)
	}
	return b.String()
}

func (p *Process) statField(c byte, name string, info *Info) string {
	switch c {
	case 'a':
		return strconv.FormatUint(uint64(octal(info.Mode())), 8)
	case 'A':
		return modeString(info.Mode())
	case 'U':
		return info.User
	case 'G':
		return info.Group
	case 'u':
		return p.Machine.uid(info.User)
	case 'g':
		return p.Machine.gid(info.Group)
	case 's':
		return strconv.FormatInt(info.Size(), 10)
	case 'Y', 'X', 'Z':
		return strconv.FormatInt(info.ModTime().Unix(), 10)
	case 'y', 'x', 'z':
		return info.ModTime().In(p.zone()).Format("2006-01-02 15:04:05.000000000 -0700")
	case 'F':
		return kindName(info)
	case 'i':
		return strconv.FormatUint(inodeOf(info), 10)
	case 'h':
		return "1"
	case 'n':
		return name
	case 'N':
		if target, err := p.FS().Readlink(p.Path(name)); err == nil {
			return fmt.Sprintf("'%s' -> '%s'", name, target)
		}
		return "'" + name + "'"
	case '%':
		return "%"
	}
	return "?"
}

func kindName(info *Info) string {
	switch m := info.Mode(); {
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeNamedPipe != 0:
		return "fifo"
	case info.Size() == 0:
		return "regular empty file"
	}
	return "regular file"
}

func cmdReadlink(_ context.Context, p *Process) int {
	f := p.flags()
	canonical := f.BoolP("canonicalize", "f", p.name() == "realpath", "")
	existing := f.BoolP("canonicalize-existing", "e", false, "")
	missing := f.BoolP("canonicalize-missing", "m", false, "")
	noNewline := f.BoolP("no-newline", "n", false, "")
	args, ok := p.parse(f)
	if !ok || len(args) == 0 {
		return p.fail("missing operand")
	}
	end := "\n"
	if *noNewline {
		end = ""
	}
	for _, name := range args {
		var result string
		var err error
		switch {
		case *canonical || *existing || *missing:
			result, err = p.FS().Resolve(p.Path(name))
			if *missing && err != nil {
				result, err = path.Clean(p.Path(name)), nil
			}
			if *existing && err == nil {
				_, err = p.FS().Stat(result)
			}
		default:
			result, err = p.FS().Readlink(p.Path(name))
		}
		if err != nil {
			if p.name() == "realpath" {
				return p.failAt(name, err)
			}
			return 1 // readlink says nothing
		}
		p.printf("%s%s", result, end)
	}
	return 0
}

// The disk of every host, in KiB: what matters to checks is that there is room.
const (
	diskSize = 80 << 20
	diskUsed = 9 << 20
)

func cmdDf(_ context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("portability", "P", false, "")
	f.BoolP("kilobytes", "k", false, "")
	f.BoolP("local", "l", false, "")
	output := f.String("output", "", "")
	block := f.StringP("block-size", "B", "1", "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	for _, name := range args {
		if _, err := p.FS().Stat(p.Path(name)); err != nil {
			return p.failAt(name, err)
		}
	}
	unit := int64(1)
	if *block == "1" && f.Changed("block-size") {
		unit = 1024
	}
	if *output == "avail" {
		p.printf("Avail\n%d\n", (diskSize-diskUsed)*unit)
		return 0
	}
	p.printf("Filesystem     1024-blocks     Used Available Capacity Mounted on\n")
	p.printf("/dev/vda1      %d %d %d      %d%% /\n", diskSize*unit, diskUsed*unit, (diskSize-diskUsed)*unit, diskUsed*100/diskSize)
	return 0
}

func cmdDu(_ context.Context, p *Process) int {
	f := p.flags()
	f.BoolP("summarize", "s", false, "")
	f.BoolP("kilobytes", "k", false, "")
	bytes := f.BoolP("bytes", "b", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	if len(args) == 0 {
		args = []string{"."}
	}
	for _, name := range args {
		size, err := p.FS().Usage(p.Path(name))
		if err != nil {
			return p.fail("cannot access '%s': %s", name, strerror(err))
		}
		if !*bytes {
			size = (size + 1023) / 1024
		}
		p.printf("%d\t%s\n", size, name)
	}
	return 0
}

// parseDate reads a point in time; one that names no zone is of the zone given.
func parseDate(s string, zone *time.Location) (time.Time, error) {
	if n, err := strconv.ParseInt(strings.TrimPrefix(s, "@"), 10, 64); err == nil && strings.HasPrefix(s, "@") {
		return time.Unix(n, 0), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("invalid date")
}
