package rke2

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/providers/footprint"
)

// defaultScript is where RKE2 publishes its install script (domain.md §2.2).
const defaultScript = "https://get.rke2.io"

// prefixes are the directories under which the install script puts RKE2: its default, the one for a read-only /usr/local, and
// the packages' (domain.md §2.2, §2.6).
var prefixes = []string{"/usr/local", "/opt/rke2", "/usr"}

// install is the kind of RKE2's files on a host. Nothing is started by it.
type install struct{}

var (
	_ providers.HostKind  = install{}
	_ providers.Explainer = install{}
)

var installObject = cty.Object(map[string]cty.Type{
	"version": cty.String, "type": cty.String, "complete": cty.Bool,
	"script": cty.String, "artifacts": cty.String, // where the files come from; no property of what is installed
})

func (install) Type() providers.Type {
	return providers.Type{Name: installType, Object: installObject, Doc: "RKE2's files in the blueprint's version, installed by its own script.", Cost: 45}
}

// Question prints the version that the binary tells, which units there are, and whether an installation was cut off.
func (install) Question(r providers.Resource) string {
	q := fmt.Sprintf(`[ ! -e %s ] || echo installing=yes
for p in %s; do
  if [ -x "$p/bin/rke2" ]; then
    echo prefix="$p"
    printf 'version=%%s\n' "$("$p/bin/rke2" --version 2>/dev/null | head -n 1)"
    [ ! -x "$p/bin/rke2-uninstall.sh" ] || echo uninstall=yes
    for u in server agent; do
      if [ -f "$p/lib/systemd/system/rke2-$u.service" ] || [ -f "/etc/systemd/system/rke2-$u.service" ]; then echo unit="$u"; fi
    done
    break
  fi
done
echo end=yes
`, installingMark, strings.Join(prefixes, " "))
	if r.Desired.IsNull() {
		return providers.IfOwned(r.Addr, q)
	}
	return q
}

func (install) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(installObject)
	text, absent, err := answer.Text(r, reply)
	if err != nil || absent {
		return null, err
	}
	pairs, err := answer.Pairs(text)
	if err != nil {
		return null, err
	}
	said, units := map[string]string{}, map[string]bool{}
	for _, p := range pairs {
		if p.Key == "unit" {
			units[p.Value] = true
		}
		said[p.Key] = p.Value
	}
	if said["end"] == "" {
		return null, fmt.Errorf("the answer about RKE2's files is cut off")
	}
	if said["prefix"] == "" && said["installing"] == "" && !r.Desired.IsNull() {
		return null, nil
	}
	v := map[string]cty.Value{"version": cty.NullVal(cty.String), "script": cty.NullVal(cty.String), "artifacts": cty.NullVal(cty.String)}
	version := installedVersion(said["version"])
	if version != "" {
		v["version"] = cty.StringVal(version)
	}
	typ := word(r.Desired, "type")
	if !units[typ] && (units["server"] != units["agent"]) { // a package of the other type
		typ = map[bool]string{true: "server", false: "agent"}[units["server"]]
	}
	v["type"] = cty.StringVal(typ)
	v["complete"] = cty.BoolVal(version != "" && units[typ] && said["uninstall"] != "" && said["installing"] == "")
	if r.Desired.IsNull() { // nobody says what it should be: it is only to be removed
		v["type"], v["complete"] = cty.NullVal(cty.String), cty.NullVal(cty.Bool)
	} else {
		v["script"], v["artifacts"] = r.Desired.GetAttr("script"), r.Desired.GetAttr("artifacts")
	}
	return cty.ObjectVal(v), nil
}

// installedVersion reads the first line of `rke2 --version`: rke2 version v1.35.7+rke2r1 (commit).
func installedVersion(line string) string {
	f := strings.Fields(line)
	if len(f) < 3 || f[0] != "rke2" || f[1] != "version" {
		return ""
	}
	return f[2]
}

// Explain refuses the ways between versions that RKE2 and Kubernetes do not support (domain.md §2.10).
func (install) Explain(c plans.Change) (plans.Reason, error) {
	from, to := word(c.Before, "version"), word(c.After, "version")
	if from == "" || to == "" || from == to {
		return c.Reason, nil
	}
	was, err := minorVersion(from)
	if err != nil {
		return c.Reason, fmt.Errorf("host %s: the installed RKE2 says that it is of %w", c.Host, err)
	}
	will, err := minorVersion(to)
	if err != nil {
		return c.Reason, fmt.Errorf("host %s: %w", c.Host, err)
	}
	switch {
	case will < was:
		return c.Reason, fmt.Errorf("host %s: RKE2 %s is installed and the blueprint asks for %s; Kubernetes cannot go back by a minor version in place, because its data has the newer form: restore a snapshot of the old version instead", c.Host, from, to)
	case will > was+1:
		return c.Reason, fmt.Errorf("host %s: RKE2 %s is installed and the blueprint asks for %s; Kubernetes supports an upgrade by one minor version at a time, so ask for a version v1.%d first", c.Host, from, to, was+1)
	}
	return plans.Reason{Code: c.Reason.Code, Text: "RKE2 " + from + " is installed; the service restarts with the new version"}, nil
}

func (install) Commands(c plans.Change) (*shell.Script, error) {
	s := new(shell.Script)
	if c.After.IsNull() {
		uninstall(s)
		return s, nil
	}
	script := word(c.After, "script")
	providers.Own(s, c.Addr)
	s.Add("curl -sfL %s -o %s || { echo %s >&2; exit 1; }", script, installScriptFile, "cannot download RKE2's install script from "+script)
	s.Add(": > %s", installingMark)
	env := []any{word(c.After, "version"), word(c.After, "type")}
	line := "INSTALL_RKE2_VERSION=%s INSTALL_RKE2_METHOD=tar INSTALL_RKE2_TYPE=%s"
	if a := word(c.After, "artifacts"); a != "" {
		line, env = line+" INSTALL_RKE2_ARTIFACT_URL=%s", append(env, a)
	}
	s.Add(line+" sh %s >&2", append(env, installScriptFile)...)
	s.Add("rm -f %s %s", installScriptFile, installingMark)
	return s, nil
}

// uninstall removes RKE2 with its data, and all that cxha put on the host. RKE2's script removes itself at its end, so where it
// is still there it has not finished.
func uninstall(s *shell.Script) {
	for _, p := range prefixes {
		script := p + "/bin/rke2-uninstall.sh"
		s.Add("if [ -x %s ]; then %s >&2; fi", script, script)
	}
	s.Add("rm -rf %s", configDir)
	footprint.Remove(s)
}
