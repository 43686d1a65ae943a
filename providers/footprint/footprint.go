package footprint

import (
	"strings"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
)

// Files of the host that are wholly cxha's.
const (
	SysctlFile         = "/etc/sysctl.d/90-cxha.conf"
	ModulesFile        = "/etc/modules-load.d/cxha.conf"
	NetworkManagerFile = "/etc/NetworkManager/conf.d/rke2-canal.conf" // domain.md §2.7
)

// The hosts file, and the comment that ends cxha's line in it.
const (
	HostsFile = "/etc/hosts"
	HostsMark = " # " + markWord
)

// HostsLine adds the lines that put line, which ends with HostsMark, at the top of the hosts file, in place of the marked one.
// It comes first because the first line with a name wins.
func HostsLine(s *shell.Script, line string) {
	rewriteHosts(s, func() {
		s.Add(`printf %s %s > "$cxha_new"`, `%s\n`, line)
		s.Add(`sed %s %s >> "$cxha_new"`, unmarked, HostsFile)
	})
}

// RemoveHostsLine adds the lines that remove the marked line from the hosts file.
func RemoveHostsLine(s *shell.Script) {
	rewriteHosts(s, func() { s.Add(`sed %s %s > "$cxha_new"`, unmarked, HostsFile) })
}

// unmarked leaves the marked line out. cloud-init, where it keeps localhost's lines, writes the others without the space before the comment.
const unmarked = "/^[[:space:]]*[^#[:space:]][^#]*#[[:space:]]*" + markWord + "[[:space:]]*$/d"

const markWord = "cxha"

// HasHostsMark reports whether a line of the hosts file is marked as cxha's, with or without a space before the comment.
func HasHostsMark(line string) bool {
	words, comment, _ := strings.Cut(line, "#")
	return strings.TrimSpace(words) != "" && strings.TrimSpace(comment) == markWord
}

// rewriteHosts keeps the file's owner, mode and security context by starting from a copy, and its other lines.
func rewriteHosts(s *shell.Script, write func()) {
	s.Add("cxha_new=%s", HostsFile+".cxha-new")
	s.Add("[ -e %s ] || : > %s", HostsFile, HostsFile)
	s.Add(`cp -p %s "$cxha_new"`, HostsFile)
	write()
	s.Add(`sync "$cxha_new"`)
	s.Add(`mv -f "$cxha_new" %s`, HostsFile)
}

// firewallRecord has a line for each firewall that cxha switched off: its unit, and what it was before.
const firewallRecord = providers.StateDir + "/firewall-off"

// RecordFirewall adds the lines that record what a firewall is, before it is switched off: "active", "enabled", or both. What was
// recorded first counts.
func RecordFirewall(s *shell.Script, unit, state string) {
	s.Add("mkdir -p %s", providers.StateDir)
	s.Add("grep -q -s %s %s || echo %s >> %s", "^"+unit+" ", firewallRecord, unit+" "+state, firewallRecord)
}

// RestoreFirewalls adds the lines that make the recorded firewalls what they were. One that is no longer on the host is passed over.
func RestoreFirewalls(s *shell.Script) {
	s.Add("if [ -f %s ]; then", firewallRecord)
	s.Add("  while read -r cxha_unit cxha_state; do")
	s.Add(`    case $cxha_unit in ufw | firewalld) ;; *) continue ;; esac`)
	s.Add(`    [ "$(systemctl show -p LoadState --value "$cxha_unit.service")" != not-found ] || continue`)
	s.Add(`    case $cxha_state in *enabled*) systemctl enable "$cxha_unit.service" < /dev/null ;; esac`)
	s.Add(`    case $cxha_state in *activ*) systemctl start "$cxha_unit.service" < /dev/null ;; esac`)
	s.Add("  done < %s", firewallRecord)
	s.Add("  rm -f %s", firewallRecord)
	s.Add("fi")
}

// Remove adds the lines that remove everything of cxha from the host, its marks last, and switch on the firewalls that it switched off. Settings and modules that are in the
// kernel stay until it boots again.
func Remove(s *shell.Script) {
	s.Add("rm -f %s %s %s", SysctlFile, ModulesFile, NetworkManagerFile)
	RemoveHostsLine(s)
	RestoreFirewalls(s)
	s.Add("rm -rf %s", providers.StateDir)
}
