package host

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/providers/footprint"
)

const sysctlType = "host.sysctl"

// sysctl is the kind of the kernel settings, in their file and in the running kernel.
type sysctl struct{}

var (
	_ providers.HostKind = sysctl{}
	_ providers.Noter    = sysctl{}
)

var sysctlObject = cty.Object(map[string]cty.Type{"settings": cty.Map(cty.String)})

func (sysctl) Type() providers.Type {
	return providers.Type{Name: sysctlType, Object: sysctlObject, Doc: "Kernel settings, now and at every boot.", Cost: 0.3}
}

func settings(v cty.Value) map[string]string {
	m := map[string]string{}
	if v.IsNull() || v.GetAttr("settings").IsNull() {
		return m
	}
	for k, e := range v.GetAttr("settings").AsValueMap() {
		m[k] = e.AsString()
	}
	return m
}

// Question prints the file's lines, and the kernel's values of the desired settings.
func (sysctl) Question(r providers.Resource) string {
	var b strings.Builder
	fmt.Fprintf(&b, "if [ -f %[1]s ]; then echo file=yes; sed 's/^/line=/' %[1]s; else echo file=no; fi\n", footprint.SysctlFile)
	want := settings(r.Desired)
	if len(want) > 0 {
		b.WriteString(bootFilesQuestion + kernelFunction)
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		fmt.Fprintf(&b, "cxha_kernel %s %s\n", shell.Quote("kernel:"+k), shell.Quote(procPath(k)))
	}
	if r.Desired.IsNull() {
		return providers.IfOwned(r.Addr, b.String())
	}
	return b.String()
}

// kernelFunction is sh text that defines cxha_kernel, which prints the value of a setting, if the kernel has it, in one line. It
// reads by cat: the kernel prints a number only to a read that begins at offset 0, and the read of most shells asks byte by byte,
// so that it would get the first digit alone.
const kernelFunction = `set -f
cxha_kernel() { if [ -r "$2" ]; then cxha_key=$1; set -- $(cat "$2" 2> /dev/null); printf '%s=%s\n' "$cxha_key" "$*"; fi; }
`

// procPath returns where the kernel shows a setting. Dots and slashes stand for each other, as sysctl(8) has it: in
// net.ipv4.conf.eth0/100.rp_filter the slash is a dot of the interface's name.
func procPath(key string) string {
	dot, slash := strings.IndexByte(key, '.'), strings.IndexByte(key, '/')
	if slash < 0 || (dot >= 0 && dot < slash) {
		key = strings.NewReplacer(".", "/", "/", ".").Replace(key)
	}
	return path.Join("/proc/sys", key)
}

func (sysctl) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(sysctlObject)
	text, absent, err := answer.Text(r, reply)
	if err != nil || absent {
		return null, err
	}
	pairs, err := answer.Pairs(text)
	if err != nil {
		return null, err
	}
	there, live, kernel := false, map[string]string{}, map[string]string{}
	for _, p := range pairs {
		switch {
		case p.Key == "file":
			there = p.Value == "yes"
		case p.Key == "line":
			readSetting(live, p.Value)
		case strings.HasPrefix(p.Key, "kernel:"):
			kernel[strings.TrimPrefix(p.Key, "kernel:")] = fields(p.Value)
		}
	}
	if !there {
		return null, nil
	}
	for k, v := range settings(r.Desired) {
		file, there := live[k]
		if now, known := kernel[k]; there && file == fields(v) {
			live[k] = inKernel(v, now, known)
		}
	}
	return cty.ObjectVal(map[string]cty.Value{"settings": stringMap(live)}), nil
}

// inKernel returns the live value of a setting whose file is right: the kernel's, in the blueprint's words where it is the same.
func inKernel(want, now string, known bool) string {
	switch {
	case !known:
		return "(the kernel has no such setting)"
	case now == fields(want):
		return want
	default:
		return now
	}
}

// readSetting reads a line of a sysctl.d file. What is no setting becomes one without a value, so that it shows as a difference.
func readSetting(into map[string]string, line string) {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
		return
	}
	key, value, _ := strings.Cut(line, "=")
	into[strings.TrimSpace(strings.TrimPrefix(key, "-"))] = fields(value)
}

// fields brings white space into one form: the kernel separates numbers by tabs.
func fields(s string) string { return strings.Join(strings.Fields(s), " ") }

func (sysctl) Commands(c plans.Change) (*shell.Script, error) {
	s := new(shell.Script)
	if c.After.IsNull() { // the running kernel keeps its values until the next boot
		s.Add("rm -f %s", footprint.SysctlFile)
		providers.Disown(s, c.Addr)
		return s, nil
	}
	providers.Own(s, c.Addr)
	want := settings(c.After)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(want)) {
		fmt.Fprintf(&b, "%s = %s\n", k, want[k])
	}
	configFile(s, footprint.SysctlFile, b.String())
	s.Add("sysctl -p %s > /dev/null", footprint.SysctlFile)
	return s, nil
}

// configFile adds the lines that write a file of the system's configuration.
func configFile(s *shell.Script, name, content string) {
	s.Add("(umask 022 && mkdir -p %s)", path.Dir(name))
	s.File(shell.File{Path: name, Content: "# Written by cxha from the blueprint.\n" + content, Owner: "root:root", Mode: "0644"})
}
