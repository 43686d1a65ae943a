package machine_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/machine"
)

func FuzzUnitFile(f *testing.F) {
	f.Add([]byte("[Unit]\nDescription=x\n[Service]\nExecStart=/bin/a \"b c\" \\\n  d\nRestartSec=5s\n[Install]\nWantedBy=multi-user.target\n"))
	f.Add([]byte("[Service]\nExecStart=\nExecStartPre=-+/bin/x $MAINPID %n\nTimeoutStartSec=0\n# c\n;c\n"))
	f.Add([]byte("[Service\nExecStart"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if machine.ParseUnit(text) != nil {
			return
		}
	})
}

func FuzzSplitWords(f *testing.F) {
	f.Add(`/bin/sh -c "a 'b' \"c\"" d\ e`)
	f.Fuzz(func(t *testing.T, line string) {
		words := machine.SplitWords(line)
		if total := len(strings.Join(words, "")); total > len(line) {
			t.Errorf("%q became longer: %q", line, words)
		}
	})
}

func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"5", "1min 30s", "infinity", "20ms", "-1", "1e9", "1.5h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := machine.ParseSpan(s); err == nil && d < 0 {
			t.Errorf("%q is %s", s, d)
		}
	})
}

func FuzzStateFiles(f *testing.F) {
	f.Add(`{"op":"set","path":"a","user":"u","group":"g"}` + "\n" + `{"op":"mv"`)
	f.Add("2026-01-01T00:00:00Z\tx[1]\trun\ttext\n")
	f.Add("127.0.0.1 localhost # c\nnet.ipv4.ip_forward = 1\n-a=\n")
	f.Fuzz(func(_ *testing.T, text string) {
		machine.ParseLedger([]byte(text))
		machine.ParseJournal(text)
		machine.ParseHosts(text)
		machine.ParseSysctls(text)
	})
}

// FuzzPosixRegexp: what is translated compiles, and an extended expression of plain letters matches itself.
func FuzzPosixRegexp(f *testing.F) {
	for _, s := range []string{`a\(b\|c\)*`, `^[]^x]\{2\}$`, `a+b?`, `[[:digit:]]\.`, `\`, `[`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		for _, extended := range []bool{true, false} {
			translated, err := machine.PosixRegexp(expr, extended)
			if err != nil {
				continue
			}
			re, err := regexp.Compile(translated)
			if err != nil {
				t.Fatalf("%q became %q: %v", expr, translated, err)
			}
			if regexp.MustCompile(`^[a-z]*$`).MatchString(expr) && !re.MatchString(expr) {
				t.Errorf("%q does not match itself", expr)
			}
		}
	})
}

func FuzzSed(f *testing.F) {
	for _, s := range []string{"s/a/b/g", "2,$d", "/x/!p;q", `s#\(a\)#[\1&]#2`, "s", "$", "1,"} {
		f.Add(s, "a\nxa\n")
	}
	f.Fuzz(func(_ *testing.T, script, text string) {
		if machine.ParseSed(script) != nil {
			return
		}
		if _, err := machine.RunSed(script, text); err != nil {
			return
		}
	})
}

func FuzzOperands(f *testing.F) {
	for _, s := range []string{"u+x,go=r", "0750", "a-z", `[:digit:]\n`, "1-3,5-", "z-a", "+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if mode, err := machine.ParseMode(s, 0o644, false); err == nil && mode.Type() != 0 {
			t.Errorf("%q makes a %s", s, mode)
		}
		if set, err := machine.TrSet(s); err == nil && len(set) > 256*(len(s)+1) {
			t.Errorf("%q has %d members", s, len(set))
		}
		if machine.CutRanges(s) != nil {
			return
		}
	})
}
