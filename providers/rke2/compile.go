package rke2

import (
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/addons"
	"github.com/expertflow/cxha/providers/host"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Compile declares RKE2 on every node of the running cluster, in the order of domain.md §9.1: all hosts prepare and download by
// themselves; only the start of an agent waits for the control plane.
func (p *provider) Compile(bp *blueprint.Blueprint) ([]providers.Resource, hcl.Diagnostics) {
	diags := checkToken(bp.Cluster, "token", bp.Cluster.Token)
	diags = append(diags, checkToken(bp.Cluster, "agent_token", bp.Cluster.AgentToken)...)
	var rs []providers.Resource
	for _, n := range bp.Nodes() {
		b := &nodeBuilder{bp: bp, node: n, dropIns: map[string]cty.Value{}}
		b.files()
		b.service()
		b.add(membershipType, "", n.Source.Block, seenMembership())
		rs, diags = append(rs, b.rs...), append(diags, b.diags...)
	}
	copied, more := p.copies(bp)
	return append(rs, copied...), append(diags, more...)
}

// checkToken refuses tokens that a first server cannot start with (domain.md §2.8).
func checkToken(c blueprint.Cluster, attr string, v cty.Value) hcl.Diagnostics {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return nil
	}
	text := schema.Plain(v).AsString()
	why := ""
	switch {
	case strings.HasPrefix(text, "K10"):
		why = "It has RKE2's long form, K10..., which holds the digest of a CA that a new cluster does not have yet. Give the password alone, which is what follows the last colon."
	case strings.TrimSpace(text) != text || text == "" || strings.ContainsAny(text, "\n\r\x00"):
		why = "It is empty, or white space is part of it, which RKE2 would cut off. Give one line without space at its ends."
	default:
		return nil
	}
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Unusable token", Detail: fmt.Sprintf("RKE2 cannot start a cluster with the %s that is given. %s", attr, why), Subject: c.Source.Attr(attr).Ptr()}}
}

// nodeBuilder declares one node's resources.
type nodeBuilder struct {
	bp    *blueprint.Blueprint
	node  blueprint.Node
	rs    []providers.Resource
	diags hcl.Diagnostics

	// What RKE2 reads when it starts.
	options    map[string]cty.Value
	dropIns    map[string]cty.Value
	registries cty.Value
}

func (b *nodeBuilder) server() bool { return b.node.Role == blueprint.ControlPlane }

// role is RKE2's word for what the node is.
func (b *nodeBuilder) role() string {
	if b.server() {
		return "server"
	}
	return "agent"
}

func (b *nodeBuilder) add(kind, key string, at hcl.Range, desired cty.Value) *providers.Resource {
	b.rs = append(b.rs, providers.Resource{
		Addr: schema.Addr{Block: b.node.Addr, Type: kind, Key: key}, Host: b.node.Name, Desired: desired, Range: at,
	})
	return &b.rs[len(b.rs)-1]
}

func (b *nodeBuilder) fail(at hcl.Range, summary string, err error) {
	b.diags = append(b.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf("Node %s: %s.", b.node.Name, err), Subject: at.Ptr()})
}

// tokens is the address of the cluster's tokens.
func (b *nodeBuilder) tokens() schema.Addr {
	return schema.Addr{Block: b.bp.ControlPlane.Addr, Type: tokenType}
}

func (b *nodeBuilder) files() {
	c, block := b.bp.Cluster, b.node.Source.Block
	b.add(installType, "", c.Source.Attr("version"), installValue(c, b.role()))
	if b.server() {
		b.add(tokenType, "", c.Source.Block, desiredToken(c.Token, c.AgentToken))
	} else {
		unknown := cty.UnknownVal(cty.String).Mark(schema.Sensitive)
		b.add(agentTokenType, "", block, agentToken.Desired(rootOwner, privateMode, map[string]cty.Value{"token": unknown})).
			Inputs = map[string]providers.Input{"token": {From: b.tokens(), Attr: "agent_token"}}
	}
	b.config()
	for _, d := range b.node.DropIns {
		content := cty.StringVal(d.Content)
		b.dropIns[d.Name] = content
		b.add(dropInType, d.Name, d.Source.Block, dropIn.Desired(rootOwner, privateMode, map[string]cty.Value{"content": content}))
	}
	if c.Registries != cty.NilVal && !c.Registries.IsNull() {
		content, err := registriesYAML(c.Registries)
		if err != nil {
			b.fail(c.Source.Attr("registries"), "Invalid registries", err)
			return
		}
		b.registries = content
		b.add(registriesType, "", c.Source.Attr("registries"), registries.Desired(rootOwner, privateMode, map[string]cty.Value{"content": content}))
	}
	manifests := b.node.Manifests
	if b.server() {
		manifests = append(addons.ServerManifests(b.bp), manifests...)
	}
	for _, m := range manifests {
		b.add(manifestType, m.Name, m.Source.Block, manifest.Desired(rootOwner, privateMode, map[string]cty.Value{"content": cty.StringVal(m.Content)}))
	}
}

func installValue(c blueprint.Cluster, role string) cty.Value {
	script, artifacts := c.Install.Script, cty.NullVal(cty.String)
	if script == "" {
		script = defaultScript
	}
	if c.Install.Artifacts != "" {
		artifacts = cty.StringVal(c.Install.Artifacts)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"version": cty.StringVal(c.Version), "type": cty.StringVal(role), "complete": cty.True,
		"script": cty.StringVal(script), "artifacts": artifacts,
	})
}

func (b *nodeBuilder) config() {
	o := agentOptions(b.bp, b.node)
	if b.server() {
		var err error
		if o, err = serverOptions(b.bp); err != nil {
			b.fail(b.bp.Cluster.Source.Attr("version"), "Invalid version", err)
			return
		}
	}
	var diags hcl.Diagnostics
	b.options, diags = withOwn(o, b.node)
	b.diags = append(b.diags, diags...)
	b.add(configType, "", b.node.Source.Attr("config"), config.Desired(rootOwner, privateMode, map[string]cty.Value{
		"options": optionsValue(maps.Clone(b.options)), "syntax": cty.StringVal(syntaxValid),
	}))
}

// service declares the unit, which needs the whole host prepared. An agent needs the running control plane besides, and that the
// cluster's inventory has its host: a worker that could join must be one that can be found again.
func (b *nodeBuilder) service() {
	block := b.node.Source.Block
	unknown := cty.UnknownVal(cty.String).Mark(schema.Sensitive)
	var after []providers.Edge
	for i, r := range b.rs {
		after = append(after, providers.Edge{To: r.Addr, Range: r.Range})
		if !b.server() && len(r.Inputs) == 0 { // a worker is not changed while its control plane has not been seen
			b.rs[i].After = append(b.rs[i].After, providers.Edge{To: b.tokens(), Range: block})
		}
	}
	for _, a := range host.Addrs(b.bp, b.node) {
		after = append(after, providers.Edge{To: a, Range: block})
	}
	desired := map[string]cty.Value{
		"unit": cty.StringVal("rke2-" + b.role()), "enabled": cty.True, "state": cty.StringVal(stateActive),
		"version": cty.StringVal(b.bp.Cluster.Version), "config": configDigest(b.options, b.dropIns, b.registries),
		"server_token": cty.NullVal(cty.String), "agent_token": unknown,
	}
	for _, attr := range identity {
		desired[attr] = cty.NullVal(cty.String)
	}
	inputs := map[string]providers.Input{"agent_token": {From: b.tokens(), Attr: "agent_digest"}}
	if b.server() {
		desired["server_token"] = unknown
		for attr, text := range identityOf(b.options) {
			desired[attr] = cty.StringVal(text)
		}
		inputs["server_token"] = providers.Input{From: b.tokens(), Attr: "server_digest"}
	} else {
		at := b.bp.Cluster.Source.Attr("endpoint")
		after = append(after,
			providers.Edge{To: schema.Addr{Block: b.bp.ControlPlane.Addr, Type: serviceType}, Range: at},
			providers.Edge{To: schema.Addr{Block: b.bp.Cluster.Addr, Type: "kube.inventory"}, Range: at})
	}
	r := b.add(serviceType, "", block, cty.ObjectVal(desired))
	r.Inputs, r.After = inputs, after
}
