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

const modulesType = "host.modules"

// modules is the kind of the kernel modules that are loaded now and at every boot.
type modules struct{}

var _ providers.HostKind = modules{}

var modulesObject = cty.Object(map[string]cty.Type{"modules": cty.List(cty.String)})

func (modules) Type() providers.Type {
	return providers.Type{Name: modulesType, Object: modulesObject, Doc: "Kernel modules, loaded now and at every boot.", Cost: 0.5}
}

// Question prints the file's lines and which desired modules the kernel has. A module that is built into the kernel may be
// missing in /sys/module, but never in modules.builtin.
func (modules) Question(r providers.Resource) string {
	var b strings.Builder
	fmt.Fprintf(&b, "if [ -f %[1]s ]; then echo file=yes; sed 's/^/line=/' %[1]s; else echo file=no; fi\n", footprint.ModulesFile)
	for _, m := range stringElems(r.Desired, "modules") {
		sys := strings.ReplaceAll(m, "-", "_")
		builtin := "/" + strings.ReplaceAll(sys, "_", "[-_]") + `\.ko`
		fmt.Fprintf(&b, "if [ -d %s ] || grep -q -s -E %s \"/lib/modules/$(uname -r)/modules.builtin\"; then echo %s; fi\n",
			shell.Quote("/sys/module/"+sys), shell.Quote(builtin), shell.Quote("loaded="+m))
	}
	if r.Desired.IsNull() {
		return providers.IfOwned(r.Addr, b.String())
	}
	return b.String()
}

func (modules) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(modulesObject)
	text, absent, err := answer.Text(r, reply)
	if err != nil || absent {
		return null, err
	}
	pairs, err := answer.Pairs(text)
	if err != nil {
		return null, err
	}
	there := false
	var listed, loaded []string
	for _, p := range pairs {
		switch line := strings.TrimSpace(p.Value); {
		case p.Key == "file":
			there = p.Value == "yes"
		case p.Key == "line" && line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";"):
			listed = append(listed, line)
		case p.Key == "loaded":
			loaded = append(loaded, p.Value)
		}
	}
	if !there {
		return null, nil
	}
	for i, m := range listed {
		if slices.Contains(stringElems(r.Desired, "modules"), m) && !slices.Contains(loaded, m) {
			listed[i] = m + " (not loaded)"
		}
	}
	slices.Sort(listed)
	return cty.ObjectVal(map[string]cty.Value{"modules": stringList(slices.Compact(listed))}), nil
}

func (modules) Commands(c plans.Change) (*shell.Script, error) {
	s := new(shell.Script)
	if c.After.IsNull() { // what is loaded stays: something may use it
		s.Add("rm -f %s", footprint.ModulesFile)
		providers.Disown(s, c.Addr)
		return s, nil
	}
	providers.Own(s, c.Addr)
	list := stringElems(c.After, "modules")
	configFile(s, footprint.ModulesFile, strings.Join(list, "\n")+"\n")
	for _, m := range list {
		s.Add("modprobe %s", m)
	}
	return s, nil
}
