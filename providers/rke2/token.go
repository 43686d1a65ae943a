package rke2

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/providers/hostfile"
	"github.com/expertflow/cxha/schema"
)

// token is the kind of the cluster's two tokens on the control plane: the server's, which is also the passphrase of every
// snapshot, and the agents', with which workers join and can do nothing else (domain.md §2.8). RKE2's own record is the truth
// once the cluster has started: writing another server token then would lock the cluster out of its own data.
type token struct{}

var (
	_ providers.HostKind  = token{}
	_ providers.Maker     = token{}
	_ providers.Explainer = token{}
)

var tokenObject = cty.Object(map[string]cty.Type{
	"server_token": cty.String, "server_digest": cty.String, "server_file": cty.String,
	"agent_token": cty.String, "agent_digest": cty.String, "agent_file": cty.String,
	"bootstrapped": cty.Bool,
})

const rightFile = rootOwner + " " + privateMode

func (token) Type() providers.Type {
	return providers.Type{
		Name: tokenType, Object: tokenObject, Cost: 0.2,
		Doc: "The cluster's server token and agents' token, on the control plane; made by cxha unless the blueprint gives them.",
	}
}

// desiredToken returns the value for tokens that the blueprint gives, or null ones, which are computed.
func desiredToken(server, agent cty.Value) cty.Value {
	attrs := map[string]cty.Value{
		"server_file": cty.StringVal(rightFile), "agent_file": cty.StringVal(rightFile),
		"bootstrapped": cty.NullVal(cty.Bool), // seen, not managed
	}
	attrs["server_token"], attrs["server_digest"] = givenToken(server)
	attrs["agent_token"], attrs["agent_digest"] = givenToken(agent)
	return cty.ObjectVal(attrs)
}

func givenToken(v cty.Value) (token, digest cty.Value) {
	if v == cty.NilVal || v.IsNull() {
		unknown := cty.UnknownVal(cty.String).Mark(schema.Sensitive)
		return unknown, unknown
	}
	text := schema.Plain(v).AsString()
	return schema.Secret(text), tokenDigest(text)
}

// Question prints the states of cxha's two files and of RKE2's own two.
func (token) Question(providers.Resource) string {
	return hostfile.Question(hostfile.MaxContent, serverTokenFile, agentTokenFile, ownServerToken, ownAgentToken)
}

func (token) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(tokenObject)
	text, _, err := answer.Text(r, reply)
	if err != nil {
		return null, err
	}
	files, err := hostfile.ParseStates(text, 4)
	if err != nil {
		return null, err
	}
	server, err := readTokens(files[0], files[2])
	if err != nil {
		return null, fmt.Errorf("%s: %w", ownServerToken, err)
	}
	agent, err := readTokens(files[1], files[3])
	if err != nil {
		return null, fmt.Errorf("%s: %w", ownAgentToken, err)
	}
	if agent.own == server.own {
		agent.own = "" // RKE2 has no agents' token of its own: it lets agents join with the server's
	}
	if server.absent() && agent.absent() {
		return null, nil
	}
	attrs := map[string]cty.Value{"bootstrapped": cty.BoolVal(server.own != "")}
	attrs["server_token"], attrs["server_digest"], attrs["server_file"] = server.values()
	attrs["agent_token"], attrs["agent_digest"], attrs["agent_file"] = agent.values()
	return cty.ObjectVal(attrs), nil
}

// tokens are one token as cxha's file has it and as RKE2's record has it.
type tokens struct {
	own  string // password in RKE2's record, or ""
	file hostfile.State
	text string // content of cxha's file
}

func readTokens(file, record hostfile.State) (tokens, error) {
	t := tokens{file: file}
	if file.Type == hostfile.TypeFile {
		t.text = strings.TrimRight(string(file.Content), "\n")
	}
	if record.Type != hostfile.TypeFile { // a link to the other token, or nothing
		return t, nil
	}
	var err error
	t.own, err = tokenPassword(strings.TrimSpace(string(record.Content)))
	return t, err
}

func (t tokens) absent() bool { return t.own == "" && t.file.Type == hostfile.TypeAbsent }

// values returns the token that counts, its digest, and how cxha's file stands to it.
func (t tokens) values() (token, digest, file cty.Value) {
	text := t.own
	if text == "" {
		text = t.text
	}
	state := t.file.Type
	if t.file.Type == hostfile.TypeFile {
		state = t.file.OwnerLike(rootOwner) + " " + t.file.Mode
		if t.text != text || string(t.file.Content) != text+"\n" {
			state = "another token, " + state
		}
	}
	if text == "" {
		null := cty.NullVal(cty.String).Mark(schema.Sensitive)
		return null, null, cty.StringVal(state)
	}
	return schema.Secret(text), tokenDigest(text), cty.StringVal(state)
}

// tokenPassword returns the password of a token in either form: K10<digest of the CA>::<user>:<password>, or the password alone.
func tokenPassword(s string) (string, error) {
	rest, secure := strings.CutPrefix(s, "K10")
	if !secure {
		return s, nil
	}
	_, credentials, ok := strings.Cut(rest, "::")
	if !ok {
		return "", fmt.Errorf("the token has no form of RKE2's: want K10<digest>::<user>:<password>")
	}
	_, password, ok := strings.Cut(credentials, ":")
	if !ok || password == "" {
		return "", fmt.Errorf("the token has no form of RKE2's: its password is missing")
	}
	return password, nil
}

// Make makes the tokens that are missing: 32 random bytes each, in RKE2's short form, which a first server needs.
func (token) Make(after cty.Value) (cty.Value, error) {
	attrs := after.AsValueMap()
	for _, which := range []string{"server", "agent"} {
		v, _ := attrs[which+"_token"].Unmark()
		if !v.IsKnown() || v.IsNull() {
			secret := make([]byte, 32)
			if _, err := rand.Read(secret); err != nil {
				return cty.NilVal, fmt.Errorf("random bytes for a token: %w", err)
			}
			v = cty.StringVal(hex.EncodeToString(secret))
		}
		attrs[which+"_token"], attrs[which+"_digest"] = schema.Secret(v.AsString()), tokenDigest(v.AsString())
	}
	if v := attrs["bootstrapped"]; !v.IsKnown() {
		attrs["bootstrapped"] = cty.NullVal(cty.Bool)
	}
	return cty.ObjectVal(attrs), nil
}

// Explain refuses another server token for a cluster that has one.
func (token) Explain(c plans.Change) (plans.Reason, error) {
	if c.Before.IsNull() || c.After.IsNull() {
		return c.Reason, nil
	}
	for attr, path := range map[string]string{"server_file": serverTokenFile, "agent_file": agentTokenFile} {
		switch state := c.Before.GetAttr(attr).AsString(); state {
		case hostfile.TypeDirectory, hostfile.TypeSymlink, hostfile.TypeOther:
			return c.Reason, fmt.Errorf("host %s: %s shall be a file and is none (%s); cxha does not remove what it did not make, so move it away", c.Host, path, state)
		}
	}
	if c.Before.GetAttr("bootstrapped").False() {
		return c.Reason, nil
	}
	before, after := schema.Plain(c.Before.GetAttr("server_token")), schema.Plain(c.After.GetAttr("server_token"))
	if after.IsKnown() && !after.IsNull() && !before.RawEquals(after) {
		return c.Reason, fmt.Errorf("host %s: the cluster was started with another server token than the blueprint gives; its data and its snapshots are encrypted with it, "+
			"so it cannot be replaced by writing a file; rotate it with `rke2 token rotate`, or remove the token from the blueprint: cxha then goes on with the cluster's own", c.Host)
	}
	return c.Reason, nil
}

func (token) Commands(c plans.Change) (*shell.Script, error) {
	s := new(shell.Script)
	if c.After.IsNull() {
		s.Add("rm -f %s %s", serverTokenFile, agentTokenFile)
		return s, nil
	}
	s.Add("(umask 022 && mkdir -p %s)", configDir)
	for _, f := range []struct{ attr, path string }{{"server_token", serverTokenFile}, {"agent_token", agentTokenFile}} {
		v := schema.Plain(c.After.GetAttr(f.attr))
		if v.IsNull() || !v.IsKnown() {
			return nil, fmt.Errorf("%s: its %s is not known", c.Addr, f.attr)
		}
		s.File(shell.File{Path: f.path, Content: v.AsString() + "\n", Secret: true, Owner: rootOwner, Mode: privateMode})
	}
	return s, nil
}
