package virtual

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/expertflow/cxha/sandbox/site"
)

var _ site.World = (*Site)(nil)

// Status implements site.World.
func (s *Site) Status(context.Context) (site.Status, error) {
	st := site.Status{Dir: s.paths.Dir, PID: os.Getpid(), BastionPort: s.port, Latency: s.net.Latency(), Charts: s.charts.Sources(),
		Foreign: s.net.Foreign(), Announced: s.net.Announced()}
	for _, h := range append(slices.Clone(s.layout), site.Bastion()) {
		m := s.hosts[h.Name]
		hs := site.HostStatus{Host: h, Stats: site.Stats(m.Stats()), Power: "off", Network: "up", Units: map[string]string{}}
		if m.IsOn() {
			hs.Power = "on"
		}
		if m.Net().IsCut() {
			hs.Network = "cut"
		}
		for _, unit := range site.WatchedUnits {
			p := m.Units().Properties(unit)
			if p["LoadState"] != "not-found" {
				hs.Units[unit] = p["ActiveState"]
			}
		}
		st.Hosts = append(st.Hosts, hs)
	}
	return st, nil
}

// Exec implements site.World.
func (s *Site) Exec(ctx context.Context, host string, req site.ExecRequest) (site.ExecResult, error) {
	m, err := s.Machine(host)
	if err != nil {
		return site.ExecResult{}, err
	}
	var stdout, stderr bytes.Buffer
	code, err := m.Run(ctx, req.Command, bytes.NewReader(req.Stdin), &stdout, &stderr)
	return site.ExecResult{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Code: code}, err
}

// Do implements site.World.
func (s *Site) Do(ctx context.Context, a site.Action) ([]byte, error) {
	switch a.Verb {
	case site.Kubeconfig:
		return s.Kubeconfig()
	case site.ResetStats:
		for _, m := range s.hosts {
			m.ResetStats()
		}
		return nil, nil
	case site.Kill, site.Start, site.Cut, site.Mend, site.Latency, site.AddArp, site.RemoveArp:
		if len(a.Args) != 1 {
			return nil, fmt.Errorf("%s: one argument is needed", a.Verb)
		}
		return nil, s.act(ctx, a.Verb, a.Args[0])
	}
	return nil, fmt.Errorf("%s: %w by the sandbox; the lab can do it", a.Verb, site.ErrUnsupported)
}

// act does a verb to its one object.
func (s *Site) act(ctx context.Context, verb, object string) error {
	switch verb {
	case site.Latency:
		delay, err := time.ParseDuration(object)
		if err == nil {
			s.net.SetLatency(delay)
		}
		return err
	case site.AddArp, site.RemoveArp:
		addr, err := netip.ParseAddr(object)
		switch {
		case err != nil:
			return err
		case verb == site.AddArp:
			s.net.AddForeign(addr)
		default:
			s.net.RemoveForeign(addr)
		}
		return nil
	}
	m, err := s.Machine(object)
	if err != nil {
		return err
	}
	switch verb {
	case site.Kill:
		return m.PowerOff()
	case site.Start:
		return m.PowerOn(ctx)
	case site.Cut:
		m.Net().Cut()
	case site.Mend:
		m.Net().Mend()
	default:
		return errors.New(verb + ": not known")
	}
	return nil
}
