package host

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/providers/footprint"
)

const endpointType = "host.endpoint"

// endpoint is the kind of the hosts file's line that tells where the control plane is. Agents resolve the name anew for each
// connection, so changing the line re-points them without a restart (domain.md §2.14).
type endpoint struct{}

var (
	_ providers.HostKind = endpoint{}
	_ providers.Noter    = endpoint{}
)

var endpointObject = cty.Object(map[string]cty.Type{"address": cty.String, "name": cty.String})

func (endpoint) Type() providers.Type {
	return providers.Type{Name: endpointType, Object: endpointObject, Doc: "The line of the hosts file that leads the endpoint's name to the control plane.", Cost: 0.2}
}

func (endpoint) Question(r providers.Resource) string {
	q := hostsHead + "[ ! -e " + footprint.HostsFile + " ] || cat " + footprint.HostsFile + "\n"
	if r.Desired.IsNull() {
		return providers.IfOwned(r.Addr, q)
	}
	return cloudQuestion + q
}

// hostsHead prints the line before the hosts file.
const hostsHead = "echo hosts\n"

// cloudQuestion is sh text that prints what cloud-init, where it is in use, is told about the hosts file; what it reads last comes last.
const cloudQuestion = `[ -e /etc/cloud/cloud-init.disabled ] ||
  grep -s '^manage_etc_hosts:' /dev/null /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg /var/lib/cloud/instance/cloud-config.txt | sed 's/^/cloud=/'
`

// hostsAnswer divides a reply into what comes before the hosts file and the file.
func hostsAnswer(text string) (before, hosts string, err error) {
	before, hosts, ok := strings.Cut("\n"+text+"\n", "\nhosts\n")
	if !ok {
		return "", "", fmt.Errorf("the answer has no hosts file")
	}
	return before, hosts, nil
}

// Notes tells that cloud-init will take the line away.
func (endpoint) Notes(r providers.Resource, reply providers.Reply) []string {
	before, _, err := hostsAnswer(strings.TrimRight(reply.Stdout, "\n"))
	if err != nil || r.Desired.IsNull() {
		return nil // Answer tells of it
	}
	file, value := "", ""
	for line := range strings.Lines(before) {
		if f, v, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cloud="), ":manage_etc_hosts:"); ok {
			v, _, _ = strings.Cut(v, "#")
			file, value = f, strings.ToLower(strings.Trim(strings.TrimSpace(v), `'"`))
		}
	}
	if !slices.Contains([]string{"true", "yes", "on", "1", "template"}, value) {
		return nil
	}
	return []string{fmt.Sprintf("cloud-init writes %s of %s anew at every boot (manage_etc_hosts is %s in %s), and the line with %s is gone then: "+
		"RKE2 on that host does not find the control plane until the next apply. Set manage_etc_hosts to false, or to localhost.",
		footprint.HostsFile, r.Host, value, file, stringAttr(r.Desired, "name"))}
}

// Answer tells the marked line's name, and the address that the name has on this host: that of the first line with it, which
// may be somebody else's.
func (endpoint) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(endpointObject)
	text, absent, err := answer.Text(r, reply)
	if err != nil || absent {
		return null, err
	}
	_, hosts, err := hostsAnswer(text)
	if err != nil {
		return null, err
	}
	entries := hostsEntries(hosts)
	var names []string
	address := ""
	for _, e := range entries {
		if e.marked {
			names = append(names, strings.Join(e.names, " "))
			address = e.address
		}
	}
	if len(names) == 0 {
		return null, nil
	}
	if want := stringAttr(r.Desired, "name"); want != "" {
		for _, e := range entries {
			if slices.Contains(e.names, want) {
				address = e.address
				break
			}
		}
	}
	return cty.ObjectVal(map[string]cty.Value{"address": cty.StringVal(address), "name": cty.StringVal(strings.Join(names, ", "))}), nil
}

// hostsEntry is a line of a hosts file.
type hostsEntry struct {
	address string
	names   []string
	marked  bool // it is cxha's
}

func hostsEntries(text string) []hostsEntry {
	var entries []hostsEntry
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		marked := footprint.HasHostsMark(line)
		words, _, _ := strings.Cut(line, "#")
		f := strings.Fields(words)
		if len(f) > 1 || marked {
			e := hostsEntry{marked: marked}
			if len(f) > 0 {
				e.address, e.names = f[0], f[1:]
			}
			entries = append(entries, e)
		}
	}
	return entries
}

func (endpoint) Commands(c plans.Change) (*shell.Script, error) {
	s := new(shell.Script)
	if c.After.IsNull() {
		footprint.RemoveHostsLine(s)
		providers.Disown(s, c.Addr)
		return s, nil
	}
	providers.Own(s, c.Addr)
	footprint.HostsLine(s, stringAttr(c.After, "address")+" "+stringAttr(c.After, "name")+footprint.HostsMark)
	return s, nil
}
