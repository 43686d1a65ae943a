package shell

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Secret is a word that reaches the host but is shown as (sensitive).
type Secret string

// Raw is shell syntax that is put in as it stands.
type Raw string

const hidden = "(sensitive)"

// Script is the text of one command for a host. The zero value is an empty script.
type Script struct {
	text, shown strings.Builder
}

// Text returns what the host's sh reads. It may hold secrets.
func (s *Script) Text() string { return s.text.String() }

// String returns the script with every secret hidden: what plans, logs and errors show.
func (s *Script) String() string { return s.shown.String() }

// Empty reports whether nothing was added.
func (s *Script) Empty() bool { return s.text.Len() == 0 }

// Add appends a line. Each %s in format takes one word of args, quoted for sh; Secret words are also hidden when the
// script is shown, Raw ones are not quoted. A wrong number of words is a bug and panics.
func (s *Script) Add(format string, args ...any) *Script {
	parts := strings.Split(format, "%s")
	if len(parts) != len(args)+1 {
		panic(fmt.Sprintf("shell: line %q does not fit its %d words; this is a bug in cxha", format, len(args)))
	}
	for i, part := range parts {
		s.write(part, part)
		if i < len(args) {
			s.write(word(args[i]))
		}
	}
	s.write("\n", "\n")
	return s
}

// Append adds another script's lines.
func (s *Script) Append(o *Script) *Script {
	s.write(o.Text(), o.String())
	return s
}

// File is a file to be written on a host.
type File struct {
	Path    string
	Content string
	Secret  bool   // the content is not shown
	Owner   string // user:group
	Mode    string // octal: 0600
}

// File appends lines that put a file in its place in one step: written beside it with its owner and mode, flushed to the
// disk, then renamed. Content travels in the script, never in an argument that other users of the host could see. The
// script must run under set -e: each step stands on a line of its own, because the shell overlooks a failure left of &&.
func (s *Script) File(f File) *Script {
	s.Add("cxha_new=%s", f.Path+".cxha-new")
	s.Add(`rm -f "$cxha_new"`)
	s.Add(`(umask 077; : > "$cxha_new")`)
	s.Add(`chown %s "$cxha_new"`, f.Owner)
	s.Add(`chmod %s "$cxha_new"`, f.Mode)
	s.content(f)
	s.Add(`sync "$cxha_new"`)
	s.Add(`mv -f "$cxha_new" %s`, f.Path)
	return s
}

func (s *Script) content(f File) {
	body, complete := strings.CutSuffix(f.Content, "\n")
	shown := body
	if f.Secret {
		shown = hidden
	}
	if !complete { // a here-document always ends with a newline
		s.write("printf '%s' "+Quote(body), "printf '%s' "+Quote(shown))
		s.write(" > \"$cxha_new\"\n", " > \"$cxha_new\"\n")
		return
	}
	end := "CXHA_END"
	for strings.Contains(f.Content, end) {
		end += "_"
	}
	head := fmt.Sprintf("cat > \"$cxha_new\" <<'%s'\n", end)
	s.write(head+body+"\n"+end+"\n", head+shown+"\n"+end+"\n")
}

func (s *Script) write(text, shown string) {
	s.text.WriteString(text)
	s.shown.WriteString(shown)
}

// Quote returns v as one word of POSIX sh.
func Quote(v string) string {
	q, err := syntax.Quote(v, syntax.LangPOSIX)
	if err != nil {
		// The library refuses control characters, for which POSIX has no escape; between single quotes they stand for themselves.
		return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
	}
	return q
}

func word(a any) (text, shown string) {
	switch a := a.(type) {
	case Raw:
		return string(a), string(a)
	case Secret:
		return Quote(string(a)), "'" + hidden + "'"
	case string:
		q := Quote(a)
		return q, q
	default:
		q := Quote(fmt.Sprint(a))
		return q, q
	}
}
