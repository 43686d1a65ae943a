package remote

import (
	"fmt"
	"strings"

	"github.com/expertflow/cxha/providers"
)

// sudoNotFound is the exit code of a shell that does not find its command.
const sudoNotFound = 127

// notBegun tells why a command ended without having begun the script: sudo refused, or it never came to sudo. What the host printed
// is quoted, because it may be in any words and any language; said is what came on standard output.
func (h *Host) notBegun(said string, r providers.Reply) error {
	user := h.key.login.user
	switch {
	case user != "root" && r.Exit == sudoNotFound:
		return &RunError{Target: h.target, Reason: fmt.Sprintf("user %s cannot become root: there is no sudo: it says %s", user, quoted(r.Stderr)),
			Advice: "Install sudo on the host, or log in as root: user = \"root\" in the ssh block."}
	case user != "root" && r.Exit == 1 && refusal(said, r.Stderr):
		return &RunError{Target: h.target, Reason: fmt.Sprintf("user %s may not become root: %s", user, sudoWords(r.Stderr)),
			Advice: fmt.Sprintf("Allow it without a password, on the host as root:\n  echo %s > /etc/sudoers.d/cxha\n"+
				"Of the rules of sudo that fit, the last one counts; `sudo -l -U %s` shows them, and whether a terminal is required.",
				quote(user+" ALL=(root) NOPASSWD: /bin/sh -s"), user)}
	}
	return &RunError{Target: h.target,
		Reason: fmt.Sprintf("the host did not run %s: it ended with exit code %d and said %s", command(user), r.Exit, quoted(said+"\n"+r.Stderr)),
		Advice: fmt.Sprintf("Look at the login shell of user %s there (`getent passwd %s`) and at what it reads when it starts, for ForceCommand in the host's sshd_config, "+
			"and for command= in the user's authorized_keys.", user, user)}
}

// refusal reports whether a command that ended with exit code 1 was refused by sudo, which prints on standard error alone. A login
// shell such as nologin prints on standard output, and one such as false nothing; a greeting may come before a refusal.
func refusal(stdout, stderr string) bool {
	return strings.TrimSpace(stderr) != "" && (strings.TrimSpace(stdout) == "" || strings.Contains(stderr, "sudo"))
}

// sudoWords returns what sudo printed, warnings included, in one line and without its name.
func sudoWords(stderr string) string {
	var words []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "sudo: "), "sudo-rs: ")
		if line != "" {
			words = append(words, line)
		}
	}
	return oneLine(strings.Join(words, "; "))
}

// maxQuoted is how many bytes of a host's words an error shows.
const maxQuoted = 300

// quoted returns what a host printed, in one line.
func quoted(text string) string {
	if text = oneLine(text); text == "" {
		return "nothing"
	}
	return `"` + text + `"`
}

func oneLine(text string) string {
	text = strings.Join(strings.Fields(printable(text)), " ")
	if len(text) > maxQuoted {
		text = strings.ToValidUTF8(text[:maxQuoted], "") + " ..."
	}
	return text
}

// printable leaves out what a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == '\uFFFD':
			return -1
		}
		return r
	}, text)
}
