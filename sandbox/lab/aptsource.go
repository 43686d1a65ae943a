package lab

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
)

// aptSource is where packages of a release come from.
type aptSource struct {
	URI     string
	Keyring string // file; empty: the default one
}

// findSource looks for the archive of a release's main component in files of apt's two forms, by name: *.sources hold stanzas
// (deb822), others one source per line (sources.list(5)).
func findSource(files map[string]string, suite string) (aptSource, error) {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		parse := parseLines
		if strings.HasSuffix(name, ".sources") {
			parse = parseStanzas
		}
		for _, s := range parse(files[name]) {
			if slices.Contains(s.types, "deb") && slices.Contains(s.suites, suite) && slices.Contains(s.components, "main") && len(s.uris) > 0 {
				return aptSource{URI: s.uris[0], Keyring: s.keyring}, nil
			}
		}
	}
	return aptSource{}, fmt.Errorf("apt: no source of the release %s with the component main in /etc/apt/sources.list or /etc/apt/sources.list.d", suite)
}

// sourceEntry is one source as apt's files have it.
type sourceEntry struct {
	types, uris, suites, components []string
	keyring                         string
}

// parseLines reads the one-line form: deb [option=value ...] uri suite component...
func parseLines(text string) []sourceEntry {
	var entries []sourceEntry
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		e := sourceEntry{types: []string{kind}}
		if strings.HasPrefix(rest, "[") {
			options, after, closed := strings.Cut(rest[1:], "]")
			if !closed {
				continue
			}
			rest = after
			for _, option := range strings.Fields(options) {
				if file, ok := strings.CutPrefix(option, "signed-by="); ok {
					e.keyring = keyringFile(file)
				}
			}
		}
		words := strings.Fields(rest)
		if len(words) < 2 {
			continue
		}
		e.uris, e.suites, e.components = words[:1], words[1:2], words[2:]
		entries = append(entries, e)
	}
	return entries
}

// parseStanzas reads the deb822 form: stanzas of fields, continued by lines that begin with a blank.
func parseStanzas(text string) []sourceEntry {
	var entries []sourceEntry
	fields, last := map[string]string{}, ""
	finish := func() {
		if len(fields) > 0 && fields["enabled"] != "no" {
			entries = append(entries, sourceEntry{
				types: strings.Fields(fields["types"]), uris: strings.Fields(fields["uris"]), suites: strings.Fields(fields["suites"]),
				components: strings.Fields(fields["components"]), keyring: keyringFile(fields["signed-by"]),
			})
		}
		fields, last = map[string]string{}, ""
	}
	scan := bufio.NewScanner(strings.NewReader(text))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		line := scan.Text()
		name, value, isField := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			finish()
		case line[0] == ' ' || line[0] == '\t':
			fields[last] += " " + strings.TrimSpace(line)
		case isField:
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = strings.TrimSpace(value)
		}
	}
	finish()
	return entries
}

// keyringFile is a Signed-By value if it names one file; it may also be a key or fingerprints.
func keyringFile(value string) string {
	if strings.HasPrefix(value, "/") && len(strings.Fields(value)) == 1 {
		return value
	}
	return ""
}
