package hostfile

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/expertflow/cxha/internal/shell"
)

// What can be at a path.
const (
	TypeAbsent    = "absent"
	TypeFile      = "file"
	TypeDirectory = "directory"
	TypeSymlink   = "symlink"
	TypeOther     = "other" // a device, a socket ...
)

// State is what is at a path.
type State struct {
	Type    string
	Mode    string // four octal digits: 0644
	Owner   string // user:group by name
	OwnerID string // user:group by number
	Size    int64
	Content []byte
	Whole   bool // Content is the file's; false for a file that was too large to be sent
}

// MaxContent is the size in bytes up to which a file's content is looked at, beyond that of the desired content.
const MaxContent = 1 << 20

// Probe is sh text that defines cxha_file: its argument is a path, its second one a size; it prints one line about what is
// there, with the content in base64 unless it is larger than that. ParseState reads the line.
const Probe = `cxha_file() {
  if [ -L "$1" ]; then echo symlink
  elif [ -f "$1" ]; then
    cxha_stat=$(stat -c 'file %a %U:%G %u:%g %s' "$1") || return 1
    if [ "${cxha_stat##* }" -le "$2" ]; then printf '%s =%s\n' "$cxha_stat" "$(base64 -w0 "$1")"; else echo "$cxha_stat"; fi
  elif [ -d "$1" ]; then stat -c 'directory %a %U:%G %u:%g %s' "$1"
  elif [ -e "$1" ]; then echo other
  else echo absent
  fi
}
`

// Question returns sh text that prints the state of each path, a line each.
func Question(size int, paths ...string) string {
	var b strings.Builder
	b.WriteString(Probe)
	for _, p := range paths {
		fmt.Fprintf(&b, "cxha_file %s %d\n", shell.Quote(p), size)
	}
	return b.String()
}

// ParseState reads a line that Probe's function printed.
func ParseState(line string) (State, error) {
	f := strings.Split(strings.TrimRight(line, "\n"), " ")
	switch s := (State{Type: f[0]}); s.Type {
	case TypeAbsent, TypeSymlink, TypeOther:
		if len(f) != 1 {
			return State{}, fmt.Errorf("file state %q: too many words", line)
		}
		return s, nil
	case TypeFile, TypeDirectory:
		if err := s.metadata(f[1:]); err != nil {
			return State{}, fmt.Errorf("file state %q: %w", line, err)
		}
		return s, nil
	default:
		return State{}, fmt.Errorf("file state %q: want absent, file, directory, symlink or other", line)
	}
}

// ParseStates reads n lines.
func ParseStates(text string, n int) ([]State, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) != n {
		return nil, fmt.Errorf("the answer has %d lines about files, want %d", len(lines), n)
	}
	states := make([]State, n)
	for i, line := range lines {
		s, err := ParseState(line)
		if err != nil {
			return nil, err
		}
		states[i] = s
	}
	return states, nil
}

func (s *State) metadata(f []string) error {
	if len(f) < 4 || len(f) > 5 {
		return fmt.Errorf("want type, mode, owner by name, owner by number, size and content")
	}
	mode, err := NormalMode(f[0])
	if err != nil {
		return err
	}
	s.Mode, s.Owner, s.OwnerID = mode, f[1], f[2]
	if s.Size, err = strconv.ParseInt(f[3], 10, 64); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	if len(f) == 4 {
		return nil
	}
	coded, ok := strings.CutPrefix(f[4], "=")
	if !ok || s.Type != TypeFile {
		return fmt.Errorf("content: want = and base64")
	}
	if s.Content, err = base64.StdEncoding.DecodeString(coded); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	s.Whole = true
	return nil
}

// NormalMode returns a mode in four octal digits: 644 is 0644.
func NormalMode(mode string) (string, error) {
	n, err := strconv.ParseUint(mode, 8, 12)
	if err != nil {
		return "", fmt.Errorf("mode %q: want octal digits, as in 0644", mode)
	}
	return fmt.Sprintf("%04o", n), nil
}

// OwnerLike returns the owner in the words of want: each of user and group by number where want has that number.
func (s State) OwnerLike(want string) string {
	names, ids, wants := strings.Split(s.Owner, ":"), strings.Split(s.OwnerID, ":"), strings.Split(want, ":")
	if len(names) != 2 || len(ids) != 2 {
		return s.Owner
	}
	for i := range names {
		if names[i] == "UNKNOWN" || (len(wants) == 2 && wants[i] == ids[i]) {
			names[i] = ids[i]
		}
	}
	return strings.Join(names, ":")
}
