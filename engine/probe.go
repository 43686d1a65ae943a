package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"github.com/expertflow/cxha/internal/crash"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// Snapshot is what a probe saw.
type Snapshot struct {
	Live  map[schema.Addr]providers.Live
	Found []providers.Resource // carry cxha's mark and are not in the blueprint
	Hosts map[string]HostState
	Notes []string // what is worth knowing beside the changes, sorted

	mu sync.Mutex // guards the fields above while the probe runs
}

// HostState is what a probe learnt of a host itself.
type HostState struct {
	Salt string // the machine id, which salts the digests of secrets
	Err  error  // not nil: the host did not answer
}

func (s *Snapshot) set(addr schema.Addr, l providers.Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Live[addr] = l
}

func (s *Snapshot) setHost(name string, h HostState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Hosts[name] = h
}

func (s *Snapshot) addFound(rs ...providers.Resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Found = append(s.Found, rs...)
}

func (s *Snapshot) addNotes(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Notes = append(s.Notes, texts...)
}

const (
	questionSalt  = "cat /etc/machine-id"
	questionOwned = "cat " + providers.OwnedDir + "/* 2>/dev/null"
)

// Probe sees the live state of every resource of the model: all hosts at the same time, one connection and one command each;
// what is behind the Kubernetes API as soon as the control plane answered. It changes nothing.
func Probe(ctx context.Context, m *Model, s *Session) (*Snapshot, error) {
	p := &prober{model: m, session: s, snap: &Snapshot{Live: map[schema.Addr]providers.Live{}, Hosts: map[string]HostState{}}, answered: map[string]chan struct{}{}}
	s.beginProbe()
	s.emit(ProbeStarted{Hosts: len(m.Hosts)})
	defer s.emit(ProbeEnded{})
	byHost := p.resourcesByHost()
	for _, h := range m.Hosts {
		p.answered[h.Name] = make(chan struct{})
	}
	g, ctx := errgroup.WithContext(ctx)
	facts := p.facts()
	for _, h := range m.Hosts {
		g.Go(func() error {
			defer close(p.answered[h.Name])
			return crash.Call(func() error { return p.host(ctx, h.Name, byHost[h.Name], facts[h.Name]) })
		})
	}
	for _, pr := range m.registry.Providers() {
		if c, ok := pr.(providers.Prober); ok {
			g.Go(func() error { return crash.Call(func() error { return p.calls(ctx, pr, c) }) })
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.Sort(p.snap.Notes)
	slices.SortFunc(p.snap.Found, func(a, b providers.Resource) int { return a.Addr.Compare(b.Addr) })
	return p.snap, nil
}

type prober struct {
	model    *Model
	session  *Session
	snap     *Snapshot
	answered map[string]chan struct{} // closed when the host's own questions are done
}

func (p *prober) resourcesByHost() map[string][]providers.Resource {
	by := map[string][]providers.Resource{}
	for _, r := range p.model.Resources {
		if _, ok := p.hostKind(r); ok {
			by[r.Host] = append(by[r.Host], r)
		}
	}
	for _, rs := range by {
		slices.SortFunc(rs, func(a, b providers.Resource) int { return a.Addr.Compare(b.Addr) })
	}
	return by
}

func (p *prober) hostKind(r providers.Resource) (providers.HostKind, bool) {
	k, _ := p.model.registry.Kind(r.Addr.Type)
	hk, ok := k.(providers.HostKind)
	return hk, ok
}

func (p *prober) facts() map[string][]providers.Fact {
	by := map[string][]providers.Fact{}
	for _, pr := range p.model.registry.Providers() {
		if c, ok := pr.(providers.Prober); ok {
			for _, f := range c.Facts(p.model.Blueprint) {
				by[f.Host] = append(by[f.Host], f)
			}
		}
	}
	return by
}

// host asks one host everything. That a host does not answer is no error: its resources are unknown.
func (p *prober) host(ctx context.Context, name string, rs []providers.Resource, facts []providers.Fact) error {
	started := time.Now()
	err := p.ask(ctx, name, rs, facts)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.session.emit(HostProbed{Host: name, Took: time.Since(started), Err: err})
	if err == nil {
		return nil
	}
	var fault *recordError
	if errors.As(err, &fault) {
		return fault
	}
	p.snap.setHost(name, HostState{Err: err})
	for _, r := range rs {
		p.snap.set(r.Addr, providers.Live{Unknown: brief(err)})
	}
	return nil
}

// brief returns an error in one line, without the advice that errors of connections carry: it is a reason in a plan there.
func brief(err error) string {
	var b interface{ Brief() string }
	if errors.As(err, &b) {
		return b.Brief()
	}
	return err.Error()
}

// recordError is a record of what cxha made that cannot be read: without it, a plan could miss something to remove.
type recordError struct{ err error }

func (e *recordError) Error() string { return e.err.Error() }
func (e *recordError) Unwrap() error { return e.err }

func (p *prober) ask(ctx context.Context, name string, rs []providers.Resource, facts []providers.Fact) error {
	host, err := p.session.Host(ctx, name)
	if err != nil {
		return err
	}
	questions := []string{questionSalt, questionOwned}
	for _, f := range facts {
		questions = append(questions, f.Question)
	}
	own := len(questions)
	for _, r := range rs {
		k, _ := p.hostKind(r)
		questions = append(questions, k.Question(r))
	}
	replies, err := runFrame(ctx, host, name, questions)
	if err != nil {
		return err
	}
	p.snap.setHost(name, HostState{Salt: strings.TrimSpace(replies[0].Stdout)})
	for i, f := range facts {
		p.session.setFact(name, f.Name, replies[2+i])
	}
	for i, r := range rs {
		p.answer(r, replies[own+i])
	}
	return p.owned(ctx, host, name, replies[1].Stdout)
}

func runFrame(ctx context.Context, host providers.Host, name string, questions []string) ([]providers.Reply, error) {
	f := newFrame(questions)
	reply, err := host.Run(ctx, f.script())
	if err != nil {
		return nil, err
	}
	replies, err := f.split(reply.Stdout)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w: exit code %d, %s", name, err, reply.Exit, tail(reply.Stderr, 3))
	}
	return replies, nil
}

// answer records what a reply says of a resource. One that cannot be read, such as of a file that was damaged when the host lost
// its power, makes its resource unknown and nothing else.
func (p *prober) answer(r providers.Resource, reply providers.Reply) {
	k, _ := p.hostKind(r)
	v, err := k.Answer(r, reply)
	if err != nil {
		p.snap.set(r.Addr, providers.Live{Unknown: fmt.Sprintf("host %s: the answer cannot be read: %v", r.Host, err)})
		return
	}
	live := providers.Live{Value: v}
	if n, ok := k.(providers.Noter); ok {
		live.Notes = n.Notes(r, reply)
	}
	p.snap.set(r.Addr, live)
}

// owned finds what cxha once made on the host and the blueprint no longer has. Only then is a host asked a second time.
func (p *prober) owned(ctx context.Context, host providers.Host, name, records string) error {
	block, ok := p.blockOf(name)
	if !ok {
		return nil
	}
	var gone []providers.Resource
	var questions []string
	for record := range strings.Lines(records) {
		addr, err := schema.ParseAddr(block.String() + "/" + strings.TrimSpace(record))
		if err != nil {
			return &recordError{fmt.Errorf("host %s: a record in %s cannot be read: %w\nIt tells what cxha made on the host: look at it there, and remove it if it is damaged", name, providers.OwnedDir, err)}
		}
		if _, wanted := p.model.Resources[addr]; wanted {
			continue
		}
		r := providers.Resource{Addr: addr, Host: name}
		k, ok := p.hostKind(r)
		if !ok {
			continue // made by another version of cxha, which knows what it is
		}
		r.Desired = cty.NullVal(k.Type().Object)
		gone = append(gone, r)
		questions = append(questions, k.Question(r))
	}
	if len(gone) == 0 {
		return nil
	}
	replies, err := runFrame(ctx, host, name, questions)
	if err != nil {
		return err
	}
	for i, r := range gone {
		p.answer(r, replies[i])
	}
	p.snap.addFound(gone...)
	return nil
}

func (p *prober) blockOf(host string) (schema.BlockAddr, bool) {
	for _, n := range p.model.Blueprint.Nodes() {
		if n.Name == host {
			return n.Addr, true
		}
	}
	return schema.BlockAddr{}, false
}

// calls probes what a provider sees by calls of its own, once the hosts that it needs facts from have answered.
func (p *prober) calls(ctx context.Context, pr providers.Provider, c providers.Prober) error {
	for _, f := range c.Facts(p.model.Blueprint) {
		select {
		case <-p.answered[f.Host]:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var rs []providers.Resource
	for _, r := range p.model.Resources {
		if _, host := p.hostKind(r); !host && p.model.registry.Owner(r.Addr.Type) == pr {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b providers.Resource) int { return a.Addr.Compare(b.Addr) })
	obs, err := c.Probe(ctx, p.session, p.model.Blueprint, rs)
	if err != nil {
		return err
	}
	for addr, l := range obs.Live {
		p.snap.set(addr, l)
	}
	p.session.addHosts(obs.Hosts)
	p.snap.addNotes(obs.Notes...)
	p.snap.addFound(obs.Found...)
	return p.foundHosts(ctx, obs)
}

// foundHosts asks the hosts that the blueprint no longer knows about what cxha left on them.
func (p *prober) foundHosts(ctx context.Context, obs providers.Observation) error {
	byHost := map[string][]providers.Resource{}
	for _, r := range obs.Found {
		if _, ok := p.hostKind(r); ok {
			byHost[r.Host] = append(byHost[r.Host], r)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for host, rs := range byHost {
		g.Go(func() error { return crash.Call(func() error { return p.host(ctx, host, rs, nil) }) })
	}
	return g.Wait()
}

// tail returns the last n lines of s in one line, for the end of an error.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, " | ")
}
