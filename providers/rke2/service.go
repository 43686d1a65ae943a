package rke2

import (
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/schema"
)

// service is the kind of RKE2's systemd unit: enabled, running, and running with what the blueprint says. RKE2 reads its
// configuration only when it starts, so cxha records what a start was made with.
type service struct{}

var (
	_ providers.HostKind  = service{}
	_ providers.Awaiter   = service{}
	_ providers.Explainer = service{}
)

var serviceObject = cty.Object(map[string]cty.Type{
	"unit": cty.String, "enabled": cty.Bool, "state": cty.String,
	// What the running process was started with: the version, and digests of the configuration and the tokens.
	"version": cty.String, "config": cty.String, "server_token": cty.String, "agent_token": cty.String,
	// What the cluster was made with; a server's only.
	"ranges": cty.String, // of pods and services
	"cni":    cty.String,
	"domain": cty.String, // under which Services have names
})

// startedWith are the attributes that a start sets.
var startedWith = append([]string{"version", "config", "server_token", "agent_token"}, identity...)

const stateActive = "active"

func (service) Type() providers.Type {
	return providers.Type{Name: serviceType, Object: serviceObject, Doc: "RKE2's service: enabled, and running with the version, configuration and tokens of the blueprint.", Cost: 60}
}

// filesDigest is sh text for one word that changes with any file that RKE2 reads when it starts.
const filesDigest = `$(cd ` + configDir + ` 2>/dev/null && sha256sum config.yaml config.yaml.d/*.yaml registries.yaml server-token agent-token 2>/dev/null | sha256sum | cut -c 1-64)`

// Question prints the unit's state, the record of the last start, whether there is a cluster, and the digest of the files as they
// are. Of a record that was damaged when the host lost its power, the whole lines count.
func (service) Question(r providers.Resource) string {
	return fmt.Sprintf(`systemctl show -p LoadState,UnitFileState,ActiveState,SubState,InvocationID %s 2>/dev/null || echo LoadState=not-found
[ ! -f %[2]s ] || grep '^started_[a-z_]*=' %[2]s || :
[ ! -f %[4]s ] || echo cluster=yes
echo files=%[3]s
`, word(r.Desired, "unit")+".service", startedRecord, filesDigest, serverCA)
}

func (service) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(serviceObject)
	text, absent, err := answer.Text(r, reply)
	if err != nil || absent {
		return null, err
	}
	said, err := answer.Map(text)
	if err != nil {
		return null, err
	}
	if said["LoadState"] == "" {
		return null, fmt.Errorf("the answer does not tell the unit's LoadState")
	}
	if said["LoadState"] == "not-found" {
		return null, nil
	}
	v := map[string]cty.Value{
		"unit": cty.StringVal(word(r.Desired, "unit")), "enabled": cty.BoolVal(said["UnitFileState"] == "enabled"),
		"state": cty.StringVal(said["ActiveState"]),
	}
	known := knownStart(said)
	for _, attr := range startedWith {
		v[attr] = cty.NullVal(cty.String)
		text, made := said["started_"+attr], said["cluster"] != "" && slices.Contains(identity, attr)
		switch {
		case text != "" && (known || made): // what a cluster was made with stays true while nothing runs
			v[attr] = cty.StringVal(text)
		case known && slices.Contains(identity[1:], attr) && !r.Desired.IsNull(): // a record from before it was recorded
			v[attr] = schema.Plain(r.Desired.GetAttr(attr))
		}
		if attr != "version" && !r.Desired.IsNull() {
			_, marks := r.Desired.GetAttr(attr).Unmark()
			v[attr] = v[attr].WithMarks(marks)
		}
	}
	return cty.ObjectVal(v), nil
}

// knownStart reports whether the record tells what the running process was started with. It does if the process is the one of
// the record; or if it is a later one, started by systemd or by somebody, while RKE2's files are those of the record.
func knownStart(said map[string]string) bool {
	if !runs(said["ActiveState"]) || said["started_files"] == "" {
		return false
	}
	switch said["InvocationID"] {
	case "":
		return false
	case said["started_invocation"]:
		return true
	case said["started_before"]: // the start that the record announces never came
		return false
	default:
		return said["files"] == said["started_files"]
	}
}

// runs reports whether a unit in this state has a process that has read its configuration.
func runs(state string) bool {
	return state == stateActive || state == "activating" || state == "reloading"
}

// Explain says in words what makes a start or restart necessary. It refuses another identity for a cluster that exists.
func (service) Explain(c plans.Change) (plans.Reason, error) {
	if c.Before.IsNull() || c.After.IsNull() {
		return c.Reason, nil
	}
	for _, attr := range identity {
		if from, to := word(c.Before, attr), word(c.After, attr); from != "" && from != to {
			return c.Reason, identityRefusal(c.Host, attr, from, to)
		}
	}
	unit, state := word(c.After, "unit"), word(c.Before, "state")
	text := ""
	switch {
	case !runs(state):
		text = fmt.Sprintf("%s is %s", unit, state)
	case word(c.Before, "config") == "" || !same(c, "ranges"):
		text = fmt.Sprintf("%s runs, and it is not known with what configuration it was started: it restarts", unit)
	case !same(c, "version"):
		text = fmt.Sprintf("%s runs with version %s: it restarts", unit, word(c.Before, "version"))
	case !same(c, "config"):
		text = fmt.Sprintf("%s runs with another configuration: it restarts", unit)
	case !same(c, "server_token") || !same(c, "agent_token"):
		text = fmt.Sprintf("%s runs with another token: it restarts", unit)
	case state != stateActive:
		text = fmt.Sprintf("%s is %s: cxha waits for it", unit, state)
	default:
		text = fmt.Sprintf("%s does not start when the host boots", unit)
	}
	return plans.Reason{Code: c.Reason.Code, Text: text}, nil
}

// same reports whether an attribute stays as it is.
func same(c plans.Change, attr string) bool {
	return schema.Plain(c.Before.GetAttr(attr)).RawEquals(schema.Plain(c.After.GetAttr(attr)))
}

// Commands enable the unit, and start or restart it where what runs is not what shall run. `systemctl start` would block until
// RKE2 is ready, without limit (domain.md §0), so the job is only queued; Await watches it.
func (service) Commands(c plans.Change) (*shell.Script, error) {
	s := new(shell.Script)
	if c.After.IsNull() {
		s.Add("systemctl disable --now %s", word(c.Before, "unit")+".service")
		s.Add("rm -f %s", startedRecord)
		return s, nil
	}
	unit := word(c.After, "unit") + ".service"
	s.Add("systemctl enable %s", unit)
	switch {
	case c.Before.IsNull() || !runs(word(c.Before, "state")) || !sameStart(c):
		restart(s, unit, c.After)
	case word(c.Before, "state") != stateActive:
		s.Add("systemctl start --no-block %s", unit)
	}
	return s, nil
}

func sameStart(c plans.Change) bool {
	for _, attr := range startedWith {
		if !same(c, attr) {
			return false
		}
	}
	return true
}

// restart adds the lines that start the unit anew and record with what. The record is written first, with the invocation that
// it ends: if the run is cut off before the restart, the record is seen to be about a start that never came.
func restart(s *shell.Script, unit string, after cty.Value) {
	s.Add("mkdir -p %s", providers.StateDir)
	s.Add("cxha_before=$(systemctl show -p InvocationID --value %s)", unit)
	s.Add("(umask 077; : > %s)", startedRecord+".new")
	s.Add("{")
	for _, attr := range startedWith {
		var value any = word(after, attr)
		if schema.IsSensitive(after.GetAttr(attr)) {
			value = shell.Secret(word(after, attr))
		}
		if word(after, attr) != "" {
			s.Add("echo %s%s", shell.Raw("started_"+attr+"="), value)
		}
	}
	s.Add(`echo started_before="${cxha_before:-none}"`)
	s.Add("echo started_files=%s", shell.Raw(filesDigest))
	s.Add("} > %s", startedRecord+".new")
	s.Add("mv -f %s %s", startedRecord+".new", startedRecord)
	s.Add("systemctl restart --no-block %s", unit)
	// The new invocation begins when the old process has ended. If that takes longer, the record does without it.
	s.Add("cxha_tries=0")
	s.Add("while [ \"$cxha_tries\" -lt 100 ]; do")
	s.Add("  cxha_now=$(systemctl show -p InvocationID --value %s)", unit)
	s.Add(`  if [ -n "$cxha_now" ] && [ "$cxha_now" != "$cxha_before" ]; then`)
	s.Add(`    echo started_invocation="$cxha_now" >> %s; break`, startedRecord)
	s.Add("  fi")
	s.Add("  cxha_tries=$((cxha_tries + 1)); sleep 0.1")
	s.Add("done")
}
