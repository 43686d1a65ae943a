package rke2

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// tokenCopy is the kind of the encrypted copy of the tokens beside the blueprint: without the server token no snapshot can ever
// be restored (domain.md §0), and the control plane that holds it is what is lost then.
type tokenCopy struct {
	cost int // of the header's digest

	mu    sync.Mutex // guards paths
	paths map[schema.Addr]string
}

var _ providers.CallKind = (*tokenCopy)(nil)

var tokenCopyObject = cty.Object(map[string]cty.Type{
	"path": cty.String, "recipients": cty.List(cty.String), "server_token": cty.String, "agent_token": cty.String,
})

// factTokens is the question to the control plane by whose reply a copy is seen to be of the tokens as they are.
const factTokens = "rke2.tokens"

func newTokenCopy(cost int) *tokenCopy {
	return &tokenCopy{cost: cost, paths: map[schema.Addr]string{}}
}

func (*tokenCopy) Type() providers.Type {
	return providers.Type{Name: tokenCopyType, Object: tokenCopyObject, Doc: "The tokens, encrypted by age, in a local file beside the blueprint.", Cost: 0.3}
}

func copyAddr(bp *blueprint.Blueprint) schema.Addr {
	return schema.Addr{Block: bp.ControlPlane.Addr, Type: tokenCopyType}
}

// copies declares the copy, if the blueprint wants one.
func (p *provider) copies(bp *blueprint.Blueprint) ([]providers.Resource, hcl.Diagnostics) {
	t := bp.Cluster.TokenCopy
	if t.Path == "" || len(t.Recipients) == 0 {
		return nil, nil
	}
	at := bp.Cluster.Source.Attr("token_copy")
	if _, err := parseRecipients(t.Recipients); err != nil {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Invalid recipient of the token copy",
			Detail:  fmt.Sprintf("The tokens cannot be encrypted: %s. A recipient is an age public key (age1...) or an SSH public key.", err),
			Subject: at.Ptr(),
		}}
	}
	unknown := cty.UnknownVal(cty.String).Mark(schema.Sensitive)
	tokens := schema.Addr{Block: bp.ControlPlane.Addr, Type: tokenType}
	return []providers.Resource{{
		Addr: copyAddr(bp), Range: at,
		Desired: cty.ObjectVal(map[string]cty.Value{
			"path": cty.StringVal(shownPath(bp)), "recipients": textList(sortedCopy(t.Recipients)),
			"server_token": unknown, "agent_token": unknown,
		}),
		Inputs: map[string]providers.Input{"server_token": {From: tokens, Attr: "server_token"}, "agent_token": {From: tokens, Attr: "agent_token"}},
	}}, nil
}

// shownPath is the copy's path as plans show it: relative to the blueprint, so that a plan is the same on every machine.
func shownPath(bp *blueprint.Blueprint) string {
	dir, err := filepath.Abs(bp.Dir)
	if err != nil {
		return filepath.Base(bp.Cluster.TokenCopy.Path)
	}
	rel, err := filepath.Rel(dir, bp.Cluster.TokenCopy.Path)
	if err != nil {
		return filepath.Base(bp.Cluster.TokenCopy.Path)
	}
	return filepath.ToSlash(rel)
}

func sortedCopy(ss []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(ss)))
}

// Facts asks the control plane for its tokens, if there is a copy to compare with.
func (p *provider) Facts(bp *blueprint.Blueprint) []providers.Fact {
	if bp.Cluster.TokenCopy.Path == "" || len(bp.Cluster.TokenCopy.Recipients) == 0 {
		return nil
	}
	return []providers.Fact{{Host: bp.ControlPlane.Name, Name: factTokens, Question: token{}.Question(providers.Resource{})}}
}

// Probe reads the header of the copy. It cannot be decrypted here, but the header tells whether it is of the live tokens.
func (p *provider) Probe(_ context.Context, s providers.Session, bp *blueprint.Blueprint, rs []providers.Resource) (providers.Observation, error) {
	obs := providers.Observation{Live: map[schema.Addr]providers.Live{}}
	for _, r := range rs {
		p.copy.remember(r.Addr, bp.Cluster.TokenCopy.Path)
		reply, ok := s.Fact(bp.ControlPlane.Name, factTokens)
		if !ok {
			obs.Live[r.Addr] = providers.Live{Unknown: fmt.Sprintf("the tokens on %s cannot be seen, so it is not known whether the copy is of them", bp.ControlPlane.Name)}
			continue
		}
		live, err := p.copy.live(bp, reply)
		if err != nil {
			return obs, fmt.Errorf("%s: %w", r.Addr, err)
		}
		obs.Live[r.Addr] = providers.Live{Value: live}
	}
	return obs, nil
}

func (k *tokenCopy) remember(a schema.Addr, path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.paths[a] = path
}

func (k *tokenCopy) path(a schema.Addr) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.paths[a]
}

func (k *tokenCopy) live(bp *blueprint.Blueprint, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(tokenCopyObject)
	content, err := os.ReadFile(bp.Cluster.TokenCopy.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return null, nil
	}
	if err != nil {
		return null, fmt.Errorf("token copy: %w", err)
	}
	unseen := cty.NullVal(cty.String).Mark(schema.Sensitive)
	attrs := map[string]cty.Value{
		"path": cty.StringVal(shownPath(bp)), "recipients": cty.ListValEmpty(cty.String), "server_token": unseen, "agent_token": unseen,
	}
	h, err := parseCopyHeader(content)
	if err != nil { // somebody else's file, or a damaged one: it differs in everything
		return cty.ObjectVal(attrs), nil
	}
	attrs["recipients"] = textList(h.recipients)
	tokens, err := token{}.Answer(providers.Resource{}, reply)
	if err != nil {
		return null, err
	}
	if tokens.IsNull() {
		return cty.ObjectVal(attrs), nil
	}
	server, agent := tokens.GetAttr("server_token"), tokens.GetAttr("agent_token")
	if schema.Plain(server).IsNull() || schema.Plain(agent).IsNull() {
		return cty.ObjectVal(attrs), nil
	}
	ok, err := h.of(schema.Plain(server).AsString(), schema.Plain(agent).AsString())
	if err != nil {
		return null, fmt.Errorf("token copy: %w", err)
	}
	if ok {
		attrs["server_token"], attrs["agent_token"] = server, agent
	}
	return cty.ObjectVal(attrs), nil
}

// Apply writes the copy.
func (k *tokenCopy) Apply(_ context.Context, _ providers.Session, c plans.Change) (cty.Value, error) {
	path := k.path(c.Addr)
	if path == "" {
		return cty.NilVal, fmt.Errorf("%s: it was not probed; this is a bug in cxha", c.Addr)
	}
	if c.After.IsNull() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return cty.NilVal, fmt.Errorf("%s: %w", c.Addr, err)
		}
		return c.After, nil
	}
	after := schema.Plain(c.After)
	var recipients []string
	for _, r := range after.GetAttr("recipients").AsValueSlice() {
		recipients = append(recipients, r.AsString())
	}
	content, err := sealTokens(recipients, k.cost, after.GetAttr("server_token").AsString(), after.GetAttr("agent_token").AsString())
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s: %w", c.Addr, err)
	}
	if err := writeFile(path, content); err != nil {
		return cty.NilVal, fmt.Errorf("%s: %w", c.Addr, err)
	}
	return c.After, nil
}

// writeFile puts a file in its place in one step, on the disk, readable for its owner only.
func writeFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
