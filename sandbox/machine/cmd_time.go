package machine

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

func timeCommands() map[string]Program {
	return map[string]Program{"date": cmdDate, "sleep": cmdSleep, "timeout": cmdTimeout}
}

func cmdSleep(ctx context.Context, p *Process) int {
	total := 0.0
	for _, a := range p.Args[1:] {
		n, err := parseSeconds(a)
		if err != nil {
			return p.fail("invalid time interval '%s'", a)
		}
		total += n
	}
	t := time.NewTimer(time.Duration(total * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return 0
	case <-ctx.Done():
		return 128 + 15
	}
}

// cmdTimeout exits with 124 when the time was over before the command.
func cmdTimeout(ctx context.Context, p *Process) int {
	f := p.flags()
	f.StringP("signal", "s", "TERM", "")
	f.StringP("kill-after", "k", "", "")
	f.Bool("foreground", false, "")
	args, ok := p.parseLeading(f)
	if !ok || len(args) < 2 {
		p.fail("missing operand")
		return 125
	}
	seconds, err := parseSeconds(args[0])
	if err != nil {
		p.fail("invalid time interval '%s'", args[0])
		return 125
	}
	if seconds == 0 {
		return p.Machine.run(ctx, p.child(args[1:]...))
	}
	inner, cancel := context.WithTimeoutCause(ctx, time.Duration(seconds*float64(time.Second)), errTimeout)
	defer cancel()
	code := p.Machine.run(inner, p.child(args[1:]...))
	if context.Cause(inner) == errTimeout {
		return 124
	}
	return code
}

// cmdDate prints the time.
func cmdDate(_ context.Context, p *Process) int {
	f := p.flags()
	utc := f.BoolP("utc", "u", false, "")
	at := f.StringP("date", "d", "", "")
	iso := f.StringP("iso-8601", "I", "", "")
	f.Lookup("iso-8601").NoOptDefVal = "date"
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	zone := p.zone()
	if *utc {
		zone = time.UTC
	}
	now := time.Now()
	if *at != "" {
		var err error
		if now, err = parseDate(*at, zone); err != nil {
			return p.fail("invalid date '%s'", *at)
		}
	}
	now = now.In(zone)
	format := "+%a %b %e %H:%M:%S %Z %Y"
	switch {
	case *iso == "date":
		format = "+%F"
	case *iso != "":
		format = "+%FT%T" + now.Format("-07:00")
	case len(args) > 0:
		format = args[0]
	}
	text, ok := strings.CutPrefix(format, "+")
	if !ok {
		return p.fail("invalid date '%s'", format)
	}
	p.printf("%s\n", strftime(now, text))
	return 0
}

func strftime(t time.Time, format string) string {
	simple := map[byte]string{
		'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'F': "2006-01-02", 'T': "15:04:05",
		'a': "Mon", 'b': "Jan", 'B': "January", 'e': "_2", 'y': "06", 'Z': "MST", 'z': "-0700", 'I': "03", 'p': "PM",
		'D': "01/02/06", 'R': "15:04",
	}
	var b strings.Builder
	for n := 0; n < len(format); n++ {
		if format[n] != '%' || n+1 == len(format) {
			b.WriteByte(format[n])
			continue
		}
		n++
		switch c := format[n]; {
		case simple[c] != "":
			b.WriteString(t.Format(simple[c]))
		case c == 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case c == 'N':
			b.WriteString(t.Format(".000000000")[1:])
		case c == 'j':
			b.WriteString(t.Format("002"))
		case c == 'n':
			b.WriteByte('\n')
		case c == '%':
			b.WriteByte('%')
		default:
			b.WriteString("%" + string(c))
		}
	}
	return b.String()
}

var errTimeout = errors.New("timeout")
