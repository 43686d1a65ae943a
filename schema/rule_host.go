package schema

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// UserName is the rule for users of hosts: what useradd accepts.
var UserName = matching("Invalid user name", "a user's name", `^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$`,
	"is no name of a user: letters, digits, _, - and dots, not beginning with a digit.")

// Module is the rule for names of kernel modules.
var Module = matching("Invalid module name", "a module's name", `^[A-Za-z0-9_-]+$`,
	"is no name of a kernel module: letters, digits, _ and -, without parameters and without the ending .ko.")

// SysctlName is the rule for names of kernel settings.
var SysctlName = matching("Invalid kernel setting", "a setting's name with dots", `^[a-z0-9_-]+([./][A-Za-z0-9_:*-]+)+$`,
	"is no name of a kernel setting. Write it with dots, as sysctl does: vm.max_map_count.")

// YAMLName is the rule for files that RKE2 reads from a directory: it reads those that end with .yaml.
var YAMLName = matching("Invalid file name", "a file name ending with .yaml", `^[A-Za-z0-9][A-Za-z0-9._-]*\.yaml$`,
	"is no name for this file. RKE2 reads only files that end with .yaml, and the name is a name and no path.")

var ownerForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*:[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// Owner is the rule for owners of files.
var Owner = Rule{Summary: "Invalid owner", Doc: "user:group", Check: func(s string) string {
	if ownerForm.MatchString(s) {
		return ""
	}
	if UserName.Check(s) == "" {
		return fmt.Sprintf("%q names a user and no group. Write both: %q.", s, s+":"+s)
	}
	return fmt.Sprintf("%q is no owner. Write the user and the group with a colon between them: \"root:root\".", s)
}}

var modeForm = regexp.MustCompile(`^[0-7]{3,4}$`)

// Mode is the rule for permissions.
var Mode = Rule{Summary: "Invalid mode", Doc: "three or four octal digits", Check: func(s string) string {
	if modeForm.MatchString(s) {
		return ""
	}
	return fmt.Sprintf("%q are no permissions. Write them as octal digits in quotes: \"0644\".", s)
}}

// AbsolutePath is the rule for paths on hosts.
var AbsolutePath = Rule{Summary: "Invalid path", Doc: "an absolute path", Check: func(s string) string {
	switch {
	case !strings.HasPrefix(s, "/"):
		return fmt.Sprintf("%q is a relative path, and commands on hosts have no fixed directory. Write it from the root: \"/etc/motd\".", s)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Sprintf("%q has a control character.", s)
	case s == "/" || path.Clean(s) != s:
		return fmt.Sprintf("%q is not in its simplest form, so one thing could be named twice. Write %q.", s, path.Clean(s))
	}
	return ""
}}

// Export is the rule for directories that an NFS server exports, and for directories on nodes that volumes are made in.
var Export = Rule{Summary: "Invalid path", Doc: "an absolute path", Check: func(s string) string {
	if !strings.HasPrefix(s, "/") {
		return fmt.Sprintf("%q is a relative path. Write it from the root of the machine that has it: %q.", s, "/"+s)
	}
	return AbsolutePath.Check(s)
}}

var recipientForm = regexp.MustCompile(`^(age1[a-z0-9]{10,}|ssh-(ed25519|rsa) [A-Za-z0-9+/]+=*( .*)?)$`)

// Recipient is the rule for public keys that files are encrypted to.
var Recipient = Rule{Summary: "Invalid recipient", Doc: "a public key of age or SSH", Hides: privateKey, Check: func(s string) string {
	if privateKey(s) {
		return "This is a private key. Recipients are public keys; a private key that stood in a file which others read should be replaced."
	}
	if recipientForm.MatchString(s) {
		return ""
	}
	return fmt.Sprintf("%q is no public key of age (age1...) or SSH (ssh-ed25519 ..., ssh-rsa ...).", s)
}}

func privateKey(s string) bool {
	return strings.Contains(s, "AGE-SECRET-KEY-") || strings.Contains(s, "PRIVATE KEY")
}

// LocalFile is the rule for paths on the machine that cxha runs on.
var LocalFile = Rule{Summary: "Invalid path", Doc: "paths relative to the blueprint's directory", Check: func(s string) string {
	switch {
	case s == "":
		return "The path is empty. For the blueprint's own directory, write \".\"."
	case strings.Contains(s, "://"):
		return fmt.Sprintf("%q is an address on the network. What a plan is made of must lie beside the blueprint, so that the same plan can be made again: download it.", s)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Sprintf("%q has a control character.", s)
	}
	return ""
}}

// MountOption is the rule for options of mounts.
var MountOption = matching("Invalid mount option", "one option", `^[A-Za-z0-9_.:/=@%+-]+$`,
	"is no single option of a mount. Write each as an element of the list: [\"nfsvers=4.1\", \"hard\"].")
