package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
)

// The run lock is the directory run.lock in providers.StateDir of the control plane: mkdir succeeds for one only.

// lockDuration is how long a run lock holds without a heartbeat.
const lockDuration = 30 * time.Second

// Exit codes of the lock's scripts.
const (
	exitHeld = 10 // somebody else holds it
	exitLost = 11 // it is no longer ours
)

// LockedError means that another run holds the lock on the control plane.
type LockedError struct {
	Host, Holder string
	Left         time.Duration // until the lock is free, if its holder gives no sign of life
}

// Error names the holder and what to do.
func (e *LockedError) Error() string {
	return fmt.Sprintf("host %s: %s is changing the cluster; wait for the end of that run, or, if it died, %s until its lock expires", e.Host, e.Holder, e.Left.Round(time.Second))
}

// Lock is the run lock on a host, kept by a heartbeat. It holds where there is no Kubernetes API yet, or none any more.
type Lock struct {
	host    providers.Host
	name    string
	holder  string
	cancel  context.CancelFunc
	stopped chan struct{} // closed when the heartbeat has ended
	lost    chan struct{} // closed when somebody took the lock away
	why     error         // how, set before that
}

// Acquire takes the run lock of the host, or returns a *LockedError. Times are the host's own, so clocks need not agree.
// abandoned is asked about another holder whose lock has not expired: true means that it is known to be dead.
func Acquire(ctx context.Context, h providers.Host, name, holder string, abandoned func(holder string) bool) (*Lock, error) {
	err := take(ctx, h, name, holder, "")
	var held *LockedError
	if errors.As(err, &held) && abandoned(held.Holder) {
		err = take(ctx, h, name, holder, held.Holder)
	}
	if err != nil {
		return nil, err
	}
	beat, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &Lock{host: h, name: name, holder: holder, cancel: cancel, stopped: make(chan struct{}), lost: make(chan struct{})}
	go l.keep(beat)
	return l, nil
}

// take makes the lock the holder's. A lock that has expired, or is dead's, is moved away first, which succeeds for one only.
func take(ctx context.Context, h providers.Host, name, holder, dead string) error {
	s := new(shell.Script)
	s.Add("mkdir -p %s", providers.StateDir)
	s.Add("cd %s", providers.StateDir)
	s.Add("now=$(date -u +%s)", shell.Raw("%s"))
	s.Add("if [ -f run.lock/holder ]; then")
	s.Add("  { read -r until; read -r who; } < run.lock/holder")
	s.Add(`  if [ "$who" != %s ] && [ "$who" != %s ] && [ "$now" -lt "$until" ]; then`, holder, dead)
	s.Add(`    echo "$((until - now))"; echo "$who"; exit %s`, exitHeld)
	s.Add("  fi")
	s.Add("  mv run.lock run.lock.$$ && rm -rf run.lock.$$")
	s.Add("fi")
	s.Add("mkdir run.lock 2>/dev/null || [ ! -f run.lock/holder ] || { echo 1; sed -n 2p run.lock/holder; exit %s; }", exitHeld)
	s.Append(write(holder))
	reply, err := h.Run(ctx, s)
	switch {
	case err != nil:
		return err
	case reply.Exit == exitHeld:
		return heldBy(name, reply.Stdout)
	case reply.Exit != 0:
		return fmt.Errorf("host %s: run lock: exit code %d: %s", name, reply.Exit, strings.TrimSpace(reply.Stderr))
	}
	return nil
}

// write adds the lines that record the holder and until when it holds.
func write(holder string) *shell.Script {
	s := new(shell.Script)
	s.Add(`{ echo "$(($(date -u +%s) + %s))"; echo %s; } > run.lock/holder.new && mv -f run.lock/holder.new run.lock/holder`,
		shell.Raw("%s"), int(lockDuration/time.Second), holder)
	return s
}

func heldBy(name, out string) error {
	left, who, ok := strings.Cut(strings.TrimSpace(out), "\n")
	seconds, err := strconv.Atoi(left)
	if !ok || err != nil {
		return fmt.Errorf("host %s: run lock: its holder cannot be read from %q", name, out)
	}
	return &LockedError{Host: name, Holder: who, Left: time.Duration(seconds) * time.Second}
}

// keep renews the lock three times per duration. That the host does not answer loses nothing: nobody else can take the lock
// there meanwhile, unless it expires; then the next heartbeat tells.
func (l *Lock) keep(ctx context.Context) {
	defer close(l.stopped)
	tick := time.NewTicker(lockDuration / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		reply, err := l.host.Run(ctx, l.ifOurs(write(l.holder)))
		if err == nil && reply.Exit == exitLost {
			l.why = l.taken(strings.TrimSpace(reply.Stdout))
			close(l.lost)
			return
		}
	}
}

func (l *Lock) taken(by string) error {
	if by == "" {
		return fmt.Errorf("host %s: the run lock was removed", l.name)
	}
	return fmt.Errorf("host %s: the run lock was taken by %s", l.name, by)
}

// ifOurs runs a script in the lock's directory if the lock is still this holder's. Otherwise it prints who has it.
func (l *Lock) ifOurs(then *shell.Script) *shell.Script {
	s := new(shell.Script)
	s.Add("cd %s || exit %s", providers.StateDir, exitLost)
	s.Add(`holder=$(sed -n 2p run.lock/holder 2>/dev/null)`)
	s.Add(`[ "$holder" = %s ] || { echo "$holder"; exit %s; }`, l.holder, exitLost)
	return s.Append(then)
}

// Lost is closed when somebody else took the lock, which they can once it has expired; Err tells who.
func (l *Lock) Lost() <-chan struct{} { return l.lost }

// Err returns why the lock was lost; nil while it is kept.
func (l *Lock) Err() error {
	select {
	case <-l.lost:
		return l.why
	default:
		return nil
	}
}

// Release ends the heartbeat and gives the lock back. A lock that cannot be given back expires by itself.
func (l *Lock) Release(ctx context.Context) error {
	l.cancel()
	<-l.stopped
	reply, err := l.host.Run(ctx, l.ifOurs(new(shell.Script).Add("rm -rf run.lock")))
	if err != nil {
		return err
	}
	if reply.Exit != 0 && reply.Exit != exitLost {
		return fmt.Errorf("host %s: run lock: exit code %d: %s", l.name, reply.Exit, strings.TrimSpace(reply.Stderr))
	}
	return nil
}
