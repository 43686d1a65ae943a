package machine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"
)

// Systemd is the service manager of one machine.
type Systemd struct {
	machine *Machine

	mu    sync.Mutex // guards the fields below and all units' fields
	units map[string]*service
}

// service is a unit that was started at least once since boot.
type service struct {
	name string
	def  *definition

	active, sub, result string
	exitStatus          int
	restarts            int
	invocation          string
	pid                 int
	activeSince         time.Time
	needReload          bool

	current *run // nil while the unit is inactive or failed
}

// run is one life of a unit, from start to stop, restarts included.
type run struct {
	cancel   context.CancelCauseFunc
	started  chan struct{} // closed when the start job is over
	startErr error         // valid once started is closed
	stopping bool
	done     chan struct{}
	// unbounded units (TimeoutStartSec=0) may take for ever to start; a boot does not wait for them.
	unbounded bool
}

// States of units, as systemctl shows them.
const (
	stateActive       = "active"
	stateActivating   = "activating"
	stateDeactivating = "deactivating"
	stateInactive     = "inactive"
	stateFailed       = "failed"
)

const errNoBus = "Failed to connect to bus: Connection refused"

// JobError tells that a unit did not start; systemctl prints it.
type JobError struct {
	Unit string
	Text string
}

// Error implements error.
func (e *JobError) Error() string { return e.Text }

func newSystemd(m *Machine) *Systemd {
	return &Systemd{machine: m, units: map[string]*service{}}
}

// Start starts a unit ("rke2-agent.service" or "rke2-agent") and waits until it is active. A unit whose ExecCondition is
// not met is skipped, which is no error. When ctx ends first, the start goes on without anybody waiting.
func (s *Systemd) Start(ctx context.Context, unit string) error {
	r, err := s.begin(unitName(unit))
	if err != nil || r == nil {
		return err
	}
	select {
	case <-r.started:
		return r.startErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin starts the unit's life unless it runs already; the run is nil when the unit is active.
func (s *Systemd) begin(name string) (*run, error) {
	if !s.machine.isOn() {
		return nil, &JobError{name, errNoBus}
	}
	for {
		s.mu.Lock()
		u := s.units[name]
		if u != nil && u.current != nil {
			r := u.current
			if !r.stopping && u.sub != "auto-restart" {
				if u.active == stateActive {
					r = nil
				}
				s.mu.Unlock()
				return r, nil
			}
			// A unit that is being stopped, or waits to be restarted, begins a new life after the old one has ended.
			r.stopping = true
			s.mu.Unlock()
			r.cancel(ErrStopped)
			<-r.done
			continue
		}
		r, err := s.launch(name, u)
		s.mu.Unlock()
		return r, err
	}
}

// launch loads the unit file and starts the goroutine of its life. The caller holds s.mu.
func (s *Systemd) launch(name string, u *service) (*run, error) {
	d, err := s.machine.loadUnit(name)
	switch {
	case errors.Is(err, errNoUnit):
		return nil, &JobError{name, fmt.Sprintf("Failed to start %s: Unit %s not found.", name, name)}
	case errors.Is(err, errMasked):
		return nil, &JobError{name, fmt.Sprintf("Failed to start %s: Unit %s is masked.", name, name)}
	case err != nil:
		return nil, &JobError{name, fmt.Sprintf("Failed to start %s: Unit %s has a bad unit file setting.", name, name)}
	}
	if !s.machine.enter() {
		return nil, &JobError{name, errNoBus}
	}
	if u == nil {
		u = &service{name: name}
		s.units[name] = u
	}
	u.def, u.needReload = d, false
	u.active, u.sub, u.result, u.restarts, u.exitStatus = stateActivating, "start", "success", 0, 0
	ctx, cancel := context.WithCancelCause(s.machine.powerContext())
	r := &run{cancel: cancel, started: make(chan struct{}), done: make(chan struct{}), unbounded: d.startTimeout == 0}
	u.current = r
	go func() {
		defer s.machine.leave()
		(&life{s: s, u: u, d: d, r: r}).run(ctx)
	}()
	return r, nil
}

// Stop stops a unit and waits until it has ended.
func (s *Systemd) Stop(ctx context.Context, unit string) error {
	name := unitName(unit)
	s.mu.Lock()
	u := s.units[name]
	if u == nil || u.current == nil {
		s.mu.Unlock()
		if _, err := s.machine.fragment(name); errors.Is(err, errNoUnit) && u == nil {
			return &JobError{name, fmt.Sprintf("Failed to stop %s: Unit %s not loaded.", name, name)}
		}
		return nil
	}
	r := u.current
	r.stopping = true
	if u.active == stateActive || u.active == stateActivating {
		u.active, u.sub = stateDeactivating, "stop-sigterm"
	}
	s.mu.Unlock()
	r.cancel(ErrStopped)
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Restart stops a unit, if it runs, and starts it.
func (s *Systemd) Restart(ctx context.Context, unit string) error {
	if err := s.stopForRestart(ctx, unit); err != nil {
		return err
	}
	return s.Start(ctx, unit)
}

func (s *Systemd) stopForRestart(ctx context.Context, unit string) error {
	if err := s.Stop(ctx, unit); err != nil {
		if _, notLoaded := errors.AsType[*JobError](err); !notLoaded {
			return err
		}
	}
	return nil
}

// Reload runs the unit's ExecReload.
func (s *Systemd) Reload(ctx context.Context, unit string) error {
	name := unitName(unit)
	s.mu.Lock()
	u := s.units[name]
	active := u != nil && u.active == stateActive
	var l *life
	if active {
		l = &life{s: s, u: u, d: u.def, r: u.current}
	}
	s.mu.Unlock()
	if !active {
		return &JobError{name, fmt.Sprintf("%s is not active, cannot reload.", name)}
	}
	if len(l.d.reload) == 0 {
		return &JobError{name, fmt.Sprintf("Failed to reload %s: Job type reload is not applicable for unit %s.", name, name)}
	}
	for _, line := range l.d.reload {
		if code := l.exec(ctx, line); code != 0 && !line.ignore {
			return &JobError{name, fmt.Sprintf("Job for %s failed.", name)}
		}
	}
	l.log("systemd", "Reloaded "+l.d.description+".")
	return nil
}

// IsActive tells whether a unit is active.
func (s *Systemd) IsActive(unit string) bool {
	return s.Properties(unit)["ActiveState"] == stateActive
}

// Properties are a unit's properties as systemctl show prints them to who has no zone of time of their own.
func (s *Systemd) Properties(unit string) map[string]string { return s.properties(unit, hostZone) }

func (s *Systemd) properties(unit string, zone *time.Location) map[string]string {
	name := unitName(unit)
	p := map[string]string{
		"Id": name, "Names": name, "ActiveState": stateInactive, "SubState": "dead", "Result": "success", "ExecMainStatus": "0",
		"NRestarts": "0", "InvocationID": "", "ActiveEnterTimestamp": "", "MainPID": "0", "NeedDaemonReload": "no",
		"LoadState": "loaded", "UnitFileState": "", "FragmentPath": "", "Description": name, "Type": "",
		"ActiveEnterTimestampMonotonic": "0", "DropInPaths": "", "ConditionResult": "yes", "Restart": "", "TimeoutStartUSec": "",
	}
	d, err := s.machine.loadUnit(name)
	p["UnitFileState"] = s.linkState(d, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[name]
	switch {
	case errors.Is(err, errMasked):
		p["LoadState"] = "masked"
	case errors.Is(err, errNoUnit) && (u == nil || u.current == nil):
		p["LoadState"] = "not-found"
	case err != nil && d != nil:
		p["LoadState"] = "bad-setting"
	case d != nil:
		p["FragmentPath"], p["Description"], p["Type"] = d.path, d.description, d.kind
		p["Restart"], p["TimeoutStartUSec"] = d.restart, timeSpan(d.startTimeout)
	}
	if u == nil {
		return p
	}
	if d != nil && u.current != nil && d.stamp.After(u.def.stamp) || u.needReload {
		p["NeedDaemonReload"] = "yes"
	}
	p["ActiveState"], p["SubState"], p["Result"] = u.active, u.sub, u.result
	p["ExecMainStatus"], p["NRestarts"], p["InvocationID"] = itoa(u.exitStatus), itoa(u.restarts), u.invocation
	p["MainPID"] = itoa(u.pid)
	if !u.activeSince.IsZero() {
		p["ActiveEnterTimestamp"] = u.activeSince.In(zone).Format("Mon 2006-01-02 15:04:05 MST")
		p["ActiveEnterTimestampMonotonic"] = itoa(int(u.activeSince.Sub(s.machine.bootTime()).Microseconds()))
	}
	return p
}

// ResetFailed forgets that a unit failed.
func (s *Systemd) ResetFailed(unit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, u := range s.units {
		if (unit == "" || name == unitName(unit)) && u.active == stateFailed {
			u.active, u.sub, u.result, u.restarts = stateInactive, "dead", "success", 0
		}
	}
}

// DaemonReload reads the unit files of running units again.
func (s *Systemd) DaemonReload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, u := range s.units {
		if d, err := s.machine.loadUnit(name); err == nil {
			u.def = d
		}
	}
}

// boot starts what multi-user.target wants, in the order of After=, and everything that can start together at once.
// It waits for the start jobs of all but those that may take for ever.
func (s *Systemd) boot(ctx context.Context) error {
	var names []string
	for _, target := range []string{"multi-user.target", "default.target", "sysinit.target", "network-online.target"} {
		for _, dir := range unitPath() {
			entries, err := s.machine.fs.ReadDir(dir + "/" + target + ".wants")
			if err != nil {
				continue
			}
			for _, e := range entries {
				if path.Ext(e.Name()) == ".service" && !slices.Contains(names, e.Name()) {
					names = append(names, e.Name())
				}
			}
		}
	}
	var wait []*run
	for _, name := range names {
		r, err := s.begin(name)
		if err != nil {
			if err := s.machine.journal.add(name, entry{at: time.Now(), ident: "systemd[1]", text: err.Error()}); err != nil {
				return err
			}
			continue
		}
		if r != nil && !r.unbounded {
			wait = append(wait, r)
		}
	}
	for _, r := range wait {
		select {
		case <-r.started:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// forget drops the state of all units: the machine has booted.
func (s *Systemd) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units = map[string]*service{}
}
