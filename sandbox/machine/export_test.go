package machine

// What the fuzz targets and the ledger's tests, which are outside of the package, need from inside.

// OpenFS opens the file system of a host directory alone.
var OpenFS = openFS

// CloseFS closes it.
func CloseFS(f *FS) error { return f.close() }

// ParseUnit parses a unit file.
func ParseUnit(text []byte) error { return (&definition{name: "x.service"}).parse(text) }

// Parsers of configuration and state.
var (
	ParseSysctls = func(s string) { parseSysctls(s) }
	ParseHosts   = func(s string) { parseHosts(s) }
	ParseJournal = func(s string) { parseJournal(s) }
	ParseLedger  = func(b []byte) { _, _ = parseLedger(b) }
	ParseSpan    = parseSpan
	SplitWords   = splitWords
	PosixRegexp  = posixRegexp
	ParseSed     = func(s string) error { _, err := parseSed(s, false); return err }
	RunSed       = func(script, text string) (string, error) {
		program, err := parseSed(script, false)
		if err != nil {
			return "", err
		}
		return runSed(program, text, false), nil
	}
	ParseMode = parseMode
	TrSet     = trSet
	CutRanges = func(s string) error { _, err := cutRanges(s); return err }
)
