package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"syscall"
	"time"

	"github.com/expertflow/cxha/providers/host"
	"github.com/expertflow/cxha/providers/kube"
)

// runLock keeps other runs of cxha away from the cluster: a directory on the control plane, and a Lease once there is an API.
type runLock struct {
	host  *host.Lock // nil: the control plane did not answer
	lease *kube.Lock // nil: there is no API yet
	stop  context.CancelFunc
}

// keptLock is a lock that is held, and may be lost.
type keptLock interface {
	Lost() <-chan struct{}
	Err() error
}

// kept are the locks that are held.
func (l *runLock) kept() []keptLock {
	var kept []keptLock
	if l.host != nil {
		kept = append(kept, l.host)
	}
	if l.lease != nil {
		kept = append(kept, l.lease)
	}
	return kept
}

// releaseTime is how long giving a lock back may take; it expires by itself anyway.
const releaseTime = 5 * time.Second

// lockHost takes the lock on the control plane, before anything is looked at: what is planned under the lock still holds when
// it is applied. Where the control plane does not answer there is nothing to lock; the plan will say so.
func (a *applier) lockHost() error {
	cp := a.site.bp.ControlPlane.Name
	h, err := a.site.session.Host(a.stop.soft, cp)
	if err != nil {
		return a.stop.soft.Err()
	}
	a.lock.host, err = host.Acquire(a.stop.soft, h, cp, holder(), isDead)
	return err
}

// lockAPI takes the Lease as well, which others can see with kubectl.
func (a *applier) lockAPI() error {
	lease, err := a.site.providers.Kube.Acquire(a.stop.soft, a.site.session, a.site.bp, kube.LockOptions{Holder: holder(), Abandoned: isDead})
	if err != nil {
		return err
	}
	a.lock.lease = lease
	return nil
}

// watch ends ctx's run when a lock is lost: somebody else may be changing the cluster then.
func (l *runLock) watch(ctx context.Context) context.Context {
	ctx, l.stop = context.WithCancel(ctx)
	for _, lock := range l.kept() {
		go func() {
			select {
			case <-lock.Lost():
				l.stop()
			case <-ctx.Done():
			}
		}()
	}
	return ctx
}

// lost returns why a lock was lost; nil while all are kept.
func (l *runLock) lost() error {
	for _, lock := range l.kept() {
		if err := lock.Err(); err != nil {
			return err
		}
	}
	return nil
}

// release gives the locks back.
func (l *runLock) release() error {
	if l.stop != nil {
		l.stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()
	var errs []error
	if l.lease != nil {
		errs = append(errs, l.lease.Release(ctx))
	}
	if l.host != nil {
		errs = append(errs, l.host.Release(ctx))
	}
	return errors.Join(errs...)
}

// holder tells people who holds the lock, and tells runs apart.
func holder() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return fmt.Sprintf("%s@%s, process %d", name, hostname(), os.Getpid())
}

func hostname() string {
	h, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return h
}

// isDead reports whether a holder was a process of this machine that is gone, so that its lock need not expire first.
func isDead(holder string) bool {
	who, process, ok := strings.Cut(holder, ", process ")
	_, machine, _ := strings.Cut(who, "@")
	var pid int
	if _, err := fmt.Sscanf(process, "%d", &pid); !ok || err != nil || machine != hostname() || machine == "unknown" {
		return false
	}
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
