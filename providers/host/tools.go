package host

import (
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/addons"
)

// tools is the kind of the programs that storage needs on a node. They stay when nothing of the blueprint needs them any more:
// something else may.
type tools struct{}

var _ providers.HostKind = tools{}

var toolsObject = cty.Object(map[string]cty.Type{"tools": cty.List(cty.String)})

// tool says how a tool is found and installed: its package is called differently by distributions.
type tool struct {
	found   string // sh condition
	apt     string
	dnf     string
	zypper  string
	service string // unit that must run; empty: none
}

// The packages are those of domain.md §5.
var knownTools = map[addons.Tool]tool{
	addons.NFSClient: {found: onDisk("mount.nfs"), apt: "nfs-common", dnf: "nfs-utils", zypper: "nfs-client"},
	addons.ISCSI: {
		found: onDisk("iscsiadm") + ` && [ "$(systemctl show -p ActiveState --value iscsid)" = active ] && [ "$(systemctl show -p UnitFileState --value iscsid)" = enabled ]`,
		apt:   "open-iscsi", dnf: "iscsi-initiator-utils", zypper: "open-iscsi", service: "iscsid",
	},
}

// onDisk is the condition that a program of the system is there: root's PATH may lack the directories.
func onDisk(program string) string {
	return "{ [ -x /sbin/" + program + " ] || [ -x /usr/sbin/" + program + " ]; }"
}

func (tools) Type() providers.Type {
	return providers.Type{Name: addons.ToolsType, Object: toolsObject, Doc: "Programs that storage needs on the node, from the distribution's packages.", Cost: 10}
}

// Question prints which of the desired tools are there.
func (tools) Question(r providers.Resource) string {
	var b strings.Builder
	b.WriteString("echo asked=\n")
	for _, name := range stringElems(r.Desired, "tools") {
		b.WriteString("if " + knownTools[addons.Tool(name)].found + "; then echo " + shell.Quote("have="+name) + "; fi\n")
	}
	return b.String()
}

func (tools) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	return listAnswer(r, reply, toolsObject, "tools", "have")
}

func (tools) Commands(c plans.Change) (*shell.Script, error) {
	s := new(shell.Script)
	s.Add("cxha_install() {")
	s.Add("  if command -v apt-get > /dev/null; then")
	s.Add("    export DEBIAN_FRONTEND=noninteractive")
	s.Add(`    apt-get -qq -y -o DPkg::Lock::Timeout=300 install "$1" || { apt-get -qq update && apt-get -qq -y -o DPkg::Lock::Timeout=300 install "$1"; }`)
	s.Add(`  elif command -v dnf > /dev/null; then dnf -q -y install "$2"`)
	s.Add(`  elif command -v zypper > /dev/null; then zypper -q -n install "$3"`)
	s.Add(`  else echo "neither apt-get nor dnf nor zypper is here: install the package $1 by hand" >&2; return 1; fi`)
	s.Add("}")
	for _, name := range stringElems(c.After, "tools") {
		t := knownTools[addons.Tool(name)]
		install := new(shell.Script).Add("cxha_install %s %s %s", t.apt, t.dnf, t.zypper)
		if t.service != "" {
			install.Add("systemctl enable %s", t.service).Add("systemctl start %s", t.service)
		}
		s.Add("if ! { %s; }; then", shell.Raw(t.found)).Append(install).Add("fi")
	}
	return s, nil
}
