package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// Session holds the connections of one command of cxha: each host is connected once, for the probe and the run alike.
type Session struct {
	connector providers.Connector
	sink      Sink

	sinkMu sync.Mutex // sink gets one event at a time

	mu    sync.Mutex // guards the maps
	specs map[string]providers.HostSpec
	conns map[string]*conn
	facts map[[2]string]providers.Reply // by host and name

	probed bool
}

type conn struct {
	once sync.Once
	host providers.Host
	err  error
}

var _ providers.Session = (*Session)(nil)

// NewSession returns a session that opens connections to hosts by c and tells events to sink, which may be nil.
func NewSession(c providers.Connector, hosts []providers.HostSpec, sink Sink) *Session {
	s := &Session{
		connector: c, sink: sink,
		specs: map[string]providers.HostSpec{}, conns: map[string]*conn{}, facts: map[[2]string]providers.Reply{},
	}
	s.addHosts(hosts)
	return s
}

// Close closes all connections.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.host != nil {
			// The connection is given up; that the other side did not hear of it changes nothing.
			_ = c.host.Close()
		}
	}
	clear(s.conns)
}

// Host returns the connection to a host, opened at the first call. A failed attempt is repeated by the next probe only.
func (s *Session) Host(ctx context.Context, name string) (providers.Host, error) {
	s.mu.Lock()
	spec, known := s.specs[name]
	c := s.conns[name]
	if c == nil {
		c = &conn{}
		s.conns[name] = c
	}
	s.mu.Unlock()
	if !known {
		return nil, fmt.Errorf("host %s: not part of this cluster; this is a bug in cxha", name)
	}
	c.once.Do(func() { c.host, c.err = s.connector.Connect(ctx, spec) })
	return c.host, c.err
}

// Fact returns a host's reply to a provider's question.
func (s *Session) Fact(host, name string) (providers.Reply, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.facts[[2]string{host, name}]
	return r, ok
}

// Progress tells what a running change waits for.
func (s *Session) Progress(addr schema.Addr, text string) {
	s.emit(ChangeProgress{Addr: addr, Text: text})
}

func (s *Session) emit(e Event) {
	if s.sink == nil {
		return
	}
	s.sinkMu.Lock()
	defer s.sinkMu.Unlock()
	s.sink(e)
}

func (s *Session) addHosts(specs []providers.HostSpec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range specs {
		s.specs[h.Name] = h
	}
}

func (s *Session) setFact(host, name string, r providers.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts[[2]string{host, name}] = r
}

// beginProbe forgets the facts and the failed connections of an earlier probe. What failed just before the first one is not
// tried twice.
func (s *Session) beginProbe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.facts)
	for name, c := range s.conns {
		if s.probed && c.err != nil {
			delete(s.conns, name)
		}
	}
	s.probed = true
}
