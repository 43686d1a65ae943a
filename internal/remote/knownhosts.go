package remote

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// Markers of lines in known_hosts, see sshd(8).
const (
	markAuthority = "@cert-authority"
	markRevoked   = "@revoked"
)

// maxLine is the longest line, in bytes, that the library reads.
const maxLine = 60 << 10

// skippedLine is a line of known_hosts that cannot be used.
type skippedLine struct {
	number  int
	why     string
	revoked string // the hosts that the line is about, where it would revoke a key of a type that could be used
}

// readLines reads known_hosts as ssh does: a line that cannot be used is left out, so that it makes no key known and none of the other
// lines unusable. The numbers of the lines stay.
func readLines(path string) (*knownhosts.HostKeyDB, []skippedLine, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	lines := bytes.Split(text, []byte("\n"))
	var skipped []skippedLine
	for i, line := range lines {
		if s := unusable(string(line)); s.why != "" {
			s.number, lines[i] = i+1, nil
			skipped = append(skipped, s)
		}
	}
	if len(skipped) == 0 {
		db, err := knownhosts.NewDB(path)
		return db, nil, err
	}
	db, err := databaseOf(bytes.Join(lines, []byte("\n")))
	return db, skipped, err
}

// databaseOf reads a text; the library reads files only.
func databaseOf(text []byte) (db *knownhosts.HostKeyDB, err error) {
	f, err := os.CreateTemp("", "cxha-known_hosts-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return knownhosts.NewDB(f.Name())
}

// unusable tells why a line cannot be used; nothing for one that can, for a comment and for an empty line.
func unusable(line string) skippedLine {
	line = strings.Trim(strings.TrimSuffix(line, "\r"), " \t")
	if line == "" || line[0] == '#' {
		return skippedLine{}
	}
	if len(line) > maxLine {
		return skippedLine{why: fmt.Sprintf("it has more than %d bytes", maxLine)}
	}
	marker, words := "", strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if strings.HasPrefix(words[0], "@") {
		if marker = words[0]; marker != markAuthority && marker != markRevoked {
			return skippedLine{why: "its marker " + strconv.Quote(marker) + " is not known"}
		}
		words = words[1:]
	}
	if len(words) < 3 {
		return skippedLine{why: "it is not complete: want hosts, key type and key"}
	}
	if err := checkHosts(words[0]); err != nil {
		return skippedLine{why: err.Error()}
	}
	if err := checkKey(words[1], words[2]); err != nil {
		s := skippedLine{why: err.Error()}
		if marker == markRevoked && slices.Contains(ssh.SupportedAlgorithms().HostKeys, words[1]) {
			s.revoked = words[0]
		}
		return s
	}
	return skippedLine{}
}

func checkKey(kind, coded string) error {
	blob, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return errors.New("its key is not base64")
	}
	key, err := ssh.ParsePublicKey(blob)
	switch {
	case err != nil && !slices.Contains(ssh.SupportedAlgorithms().HostKeys, kind):
		return fmt.Errorf("its key type %s is not known to cxha", strconv.Quote(kind))
	case err != nil:
		return fmt.Errorf("its key cannot be read: %s", strings.TrimPrefix(err.Error(), "ssh: "))
	case key.Type() != kind:
		return fmt.Errorf("its key is of type %s, not %s", key.Type(), strconv.Quote(kind))
	}
	return nil
}

// checkHosts refuses what the library would: hashed names of another form, and patterns without a name.
func checkHosts(hosts string) error {
	if strings.HasPrefix(hosts, "@") {
		return errors.New("it has two markers")
	}
	if strings.HasPrefix(hosts, "|") {
		parts := strings.Split(hosts, "|")
		if len(parts) != 4 || parts[1] != "1" {
			return errors.New("its hashed name has a form that is not known")
		}
		for _, p := range parts[2:] {
			if _, err := base64.StdEncoding.DecodeString(p); err != nil {
				return errors.New("its hashed name is not base64")
			}
		}
		return nil
	}
	for _, p := range strings.Split(hosts, ",") {
		name := strings.TrimPrefix(p, "!")
		if p != "" && name == "" {
			return errors.New("a host in it is negated and has no name")
		}
		if strings.HasPrefix(name, "[") {
			if _, _, err := net.SplitHostPort(name); err != nil {
				return fmt.Errorf("the host %s in it is not [NAME]:PORT", strconv.Quote(name))
			}
		}
	}
	return nil
}

// revocations returns a database in which exactly the hosts are known that a skipped line would revoke a key of.
func revocations(skipped []skippedLine) (*knownhosts.HostKeyDB, error) {
	key, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, s := range skipped {
		if s.revoked != "" {
			fmt.Fprintf(&text, "%s %s", s.revoked, ssh.MarshalAuthorizedKey(key))
		}
	}
	if text.Len() == 0 {
		return nil, nil
	}
	return databaseOf(text.Bytes())
}

// maxSkipped is how many skipped lines a warning names.
const maxSkipped = 3

// skippedWarning tells of lines that were skipped, in full sentences; nothing where there are none.
func skippedWarning(path string, skipped []skippedLine) string {
	if len(skipped) == 0 {
		return ""
	}
	var b strings.Builder
	for i, s := range skipped {
		if i == maxSkipped {
			fmt.Fprintf(&b, "%d more lines of that file are skipped too. ", len(skipped)-i)
			break
		}
		fmt.Fprintf(&b, "%s:%d is skipped: %s. ", path, s.number, s.why)
	}
	return b.String() + "Hosts are known by the other lines only."
}
