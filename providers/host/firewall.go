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
	"github.com/expertflow/cxha/schema"
)

const firewallType = "host.firewall"

const off = "off"

// firewallUnits are the services that would fight with the CNI's rules (domain.md §2.7).
var firewallUnits = []string{"firewalld", "ufw"}

// firewall is the kind of the host firewalls that must not run, now or after a boot. What they were before is recorded on the host,
// so that they can be switched on again.
type firewall struct{}

var (
	_ providers.HostKind  = firewall{}
	_ providers.Explainer = firewall{}
)

var firewallObject = cty.Object(map[string]cty.Type{"firewalld": cty.String, "ufw": cty.String})

func (firewall) Type() providers.Type {
	return providers.Type{Name: firewallType, Object: firewallObject, Doc: "The host's own firewalls, which conflict with the CNI's rules, are off.", Cost: 0.5}
}

func (firewall) Question(r providers.Resource) string {
	var b strings.Builder
	for _, u := range firewallUnits {
		fmt.Fprintf(&b, "echo Unit=%[1]s\nsystemctl show -p LoadState,ActiveState,UnitFileState %[1]s.service 2>/dev/null || echo LoadState=not-found\n", u)
	}
	if r.Desired.IsNull() {
		return providers.IfOwned(r.Addr, b.String())
	}
	return b.String()
}

func (firewall) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(firewallObject)
	text, absent, err := answer.Text(r, reply)
	if err != nil || absent {
		return null, err
	}
	pairs, err := answer.Pairs(text)
	if err != nil {
		return null, err
	}
	units, unit := map[string]map[string]string{}, ""
	for _, p := range pairs {
		if p.Key == "Unit" {
			unit = p.Value
			units[unit] = map[string]string{}
			continue
		}
		if unit == "" {
			return null, fmt.Errorf("the answer begins with %q, want Unit", p.Key)
		}
		units[unit][p.Key] = p.Value
	}
	attrs := map[string]cty.Value{}
	for _, u := range firewallUnits {
		props, ok := units[u]
		if !ok || props["LoadState"] == "" {
			return null, fmt.Errorf("the answer does not tell the state of %s", u)
		}
		attrs[u] = cty.StringVal(unitState(props))
	}
	return cty.ObjectVal(attrs), nil
}

// unitState is off for a unit that does not run and will not at the next boot, otherwise what it does.
func unitState(props map[string]string) string {
	if props["LoadState"] == "not-found" {
		return off
	}
	var does []string
	if a := props["ActiveState"]; a != "inactive" && a != "failed" {
		does = append(does, a)
	}
	if f := props["UnitFileState"]; strings.HasPrefix(f, "enabled") {
		does = append(does, f)
	}
	if len(does) == 0 {
		return off
	}
	return strings.Join(does, ", ")
}

// Explain says what is switched off and how to keep it.
func (firewall) Explain(c plans.Change) (plans.Reason, error) {
	if c.After.IsNull() {
		return plans.Reason{Code: c.Reason.Code, Text: "the blueprint no longer wants the host's firewall off: what cxha switched off is switched on again"}, nil
	}
	var running []string
	for _, u := range firewallUnits {
		if state := stringAttr(c.Before, u); state != "" && state != off {
			running = append(running, fmt.Sprintf("%s (%s)", u, state))
		}
	}
	if len(running) == 0 {
		return c.Reason, nil
	}
	return plans.Reason{Code: c.Reason.Code, Text: fmt.Sprintf("%s: the host's firewall is switched off, now and at boots, because its rules and the pod network's undo each other; "+
		"firewall = %q in the cluster block keeps it", strings.Join(running, ", "), schema.FirewallKeep)}, nil
}

func (firewall) Commands(c plans.Change) (*shell.Script, error) {
	s := new(shell.Script)
	if c.After.IsNull() {
		footprint.RestoreFirewalls(s)
		providers.Disown(s, c.Addr)
		return s, nil
	}
	providers.Own(s, c.Addr)
	for _, u := range firewallUnits {
		if state := stringAttr(c.Before, u); state != off {
			footprint.RecordFirewall(s, u, state)
			s.Add("systemctl disable --now %s", u+".service")
		}
	}
	return s, nil
}
