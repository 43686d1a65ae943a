package host

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/providers/footprint"
	"github.com/expertflow/cxha/providers/hostfile"
)

const networkManagerType = "host.network_manager"

// cniDevices are the interfaces that the CNI makes, in the words of NetworkManager (domain.md §2.7).
var cniDevices = []string{
	"interface-name:flannel*", "interface-name:cali*", "interface-name:tunl*", "interface-name:vxlan.calico",
	"interface-name:vxlan-v6.calico", "interface-name:wireguard.cali", "interface-name:wg-v6.cali",
}

// networkManagerContent keeps NetworkManager away from the CNI's interfaces. It adds to the list of the files before it: one that
// was replaced could hand NetworkManager the host's own network, which Ubuntu's 10-globally-managed-devices.conf keeps from it.
var networkManagerContent = "[keyfile]\nunmanaged-devices+=" + strings.Join(cniDevices, ";") + "\n"

// networkManager is the kind of NetworkManager's file about the CNI's interfaces. Where there is no NetworkManager there is nothing to do.
type networkManager struct{}

var (
	_ providers.HostKind = networkManager{}
	_ providers.Noter    = networkManager{}
)

var networkManagerObject = cty.Object(map[string]cty.Type{"content": cty.String})

func (networkManager) Type() providers.Type {
	return providers.Type{Name: networkManagerType, Object: networkManagerObject, Doc: "NetworkManager's file that leaves the CNI's interfaces alone.", Cost: 0.3}
}

func (networkManager) Question(providers.Resource) string {
	return "systemctl show -p LoadState NetworkManager.service 2>/dev/null || echo LoadState=not-found\n" +
		hostfile.Question(hostfile.MaxContent, footprint.NetworkManagerFile) + unmanagedQuestion
}

func (networkManager) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(networkManagerObject)
	text, _, err := answer.Text(r, reply)
	if err != nil {
		return null, err
	}
	unit, line, ok := strings.Cut(text, "\n")
	line, _, _ = strings.Cut(line, "\n") // what follows is for Notes
	state, isState := strings.CutPrefix(unit, "LoadState=")
	if !ok || !isState {
		return null, fmt.Errorf("the answer %q: want the unit's LoadState and the file's state", text)
	}
	s, err := hostfile.ParseState(line)
	switch {
	case err != nil:
		return null, err
	case state == "not-found":
		return r.Desired, nil
	case s.Type == hostfile.TypeAbsent:
		return null, nil
	case s.Type != hostfile.TypeFile:
		return cty.ObjectVal(map[string]cty.Value{"content": cty.StringVal("(a " + s.Type + ")")}), nil
	}
	return cty.ObjectVal(hostfile.Text{Attr: "content"}.Decode(s, r.Desired, false)), nil
}

func (networkManager) Commands(c plans.Change) (*shell.Script, error) {
	s := new(shell.Script)
	if c.After.IsNull() {
		s.Add("rm -f %s", footprint.NetworkManagerFile)
		return s, nil
	}
	content := stringAttr(c.After, "content")
	file := shell.File{Path: footprint.NetworkManagerFile, Content: content + unread, Owner: "root:root", Mode: "0644"}
	s.Add("(umask 022 && mkdir -p /etc/NetworkManager/conf.d)")
	s.File(file)
	reload(s)
	file.Content = content
	s.File(file)
	return s, nil
}

// unread ends the file until NetworkManager has read it: without it the next plan could not see that it never did.
const unread = "# NetworkManager has not read this yet\n"

// reload adds the lines that have a running NetworkManager read its files. It refuses if the bus does not tell it within two
// seconds who asks (its nm-dbus-manager.c), as happens on a busy host; so it is asked again before the run fails. Why it refuses
// is in its journal, which systemctl does not show.
func reload(s *shell.Script) {
	s.Add("if systemctl is-active --quiet NetworkManager.service; then")
	s.Add("  cxha_tries=0")
	s.Add("  until cxha_said=$(systemctl reload NetworkManager.service 2>&1); do")
	s.Add(`    cxha_tries=$((cxha_tries + 1))`)
	s.Add(`    if [ "$cxha_tries" -ge 50 ]; then`)
	s.Add(`      echo "$cxha_said" >&2`)
	s.Add("      journalctl -u NetworkManager.service -n 5 -o cat --no-pager >&2")
	s.Add("      exit 1")
	s.Add("    fi")
	s.Add("    sleep 0.2")
	s.Add("  done")
	s.Add("fi")
}
