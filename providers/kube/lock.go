package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

// LockedError means that another run holds the cluster's lock.
type LockedError struct {
	Holder  string
	Since   time.Time
	Expires time.Time // when the lock is free if its holder gives no sign of life until then
}

// Error names the holder and what to do.
func (e *LockedError) Error() string {
	return fmt.Sprintf("cluster: %s has been changing it since %s; wait for the end of that run, or, if it died, until its lock expires at %s",
		e.Holder, e.Since.UTC().Format(time.RFC3339), e.Expires.UTC().Format(time.RFC3339))
}

// LockOptions say who wants the lock.
type LockOptions struct {
	// Holder tells people who holds the lock, and tells holders apart: user, machine and process.
	Holder string

	// Abandoned, if set, is asked about another holder whose lock has not expired: true means that it is known to be dead,
	// such as a process of this machine that is gone, so that its lock can be taken at once.
	Abandoned func(holder string) bool
}

// Lock is the run lock of a cluster: the Lease kube-system/cxha, kept by a heartbeat.
type Lock struct {
	conn    *conn
	holder  string
	cancel  context.CancelFunc
	stopped chan struct{} // closed when the heartbeat has ended

	mu      sync.Mutex // guards lostWhy
	lostWhy error
	lost    chan struct{}
}

// Acquire takes the run lock, or returns a *LockedError. The lock is kept until Release; Lost tells when it could not be.
func (p *Provider) Acquire(ctx context.Context, s providers.Session, bp *blueprint.Blueprint, o LockOptions) (*Lock, error) {
	c := p.open(s, bp.ControlPlane.Name)
	client, err := c.fromHost(ctx)
	if err != nil {
		return nil, fmt.Errorf("run lock: %w", err)
	}
	if err := c.take(ctx, client, o); err != nil {
		return nil, err
	}
	beat, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &Lock{conn: c, holder: o.Holder, cancel: cancel, stopped: make(chan struct{}), lost: make(chan struct{})}
	go l.keep(beat)
	return l, nil
}

// take writes the holder into the Lease. Two that try at the same time are told apart by the API server: one write conflicts.
func (c *conn) take(ctx context.Context, client *kubernetes.Clientset, o LockOptions) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	leases := client.CoordinationV1().Leases(systemNamespace)
	for {
		lease, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName, Labels: map[string]string{"app.kubernetes.io/managed-by": FieldManager}}}
			c.sign(lease, o.Holder)
			_, err = leases.Create(ctx, lease, metav1.CreateOptions{FieldManager: FieldManager})
		case err == nil:
			if held := c.heldBy(lease); held != nil && held.Holder != o.Holder && (o.Abandoned == nil || !o.Abandoned(held.Holder)) {
				return held
			}
			c.sign(lease, o.Holder)
			_, err = leases.Update(ctx, lease, metav1.UpdateOptions{FieldManager: FieldManager})
		}
		if err == nil {
			return nil
		}
		// Somebody else was faster, or the API server, just started, has not made its namespaces yet: look again.
		again := apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
		if !again || pause(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("run lock: lease %s/%s: %w", systemNamespace, leaseName, err)
		}
	}
}

// sign makes the lease the holder's.
func (c *conn) sign(lease *coordinationv1.Lease, holder string) {
	now := metav1.NewMicroTime(c.options.Now())
	duration := max(1, int32(c.options.LockDuration/time.Second))
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &holder, AcquireTime: &now, RenewTime: &now, LeaseDurationSeconds: &duration}
}

// heldBy returns whose the lease is now; nil: nobody's, or its holder gave no sign of life for its duration.
func (c *conn) heldBy(lease *coordinationv1.Lease) *LockedError {
	spec := lease.Spec
	if spec.HolderIdentity == nil || *spec.HolderIdentity == "" || spec.RenewTime == nil || spec.LeaseDurationSeconds == nil {
		return nil
	}
	held := &LockedError{Holder: *spec.HolderIdentity, Expires: spec.RenewTime.Add(time.Duration(*spec.LeaseDurationSeconds) * time.Second)}
	if spec.AcquireTime != nil {
		held.Since = spec.AcquireTime.Time
	}
	if !c.options.Now().Before(held.Expires) {
		return nil
	}
	return held
}

// errTaken means that the lease is somebody else's, or gone.
var errTaken = errors.New("the run lock was taken away")

// keep renews the lease three times per duration. An API server that does not answer, such as one that this very run
// restarts, loses nothing: nobody else can take the lock meanwhile.
func (l *Lock) keep(ctx context.Context) {
	defer close(l.stopped)
	for pause(ctx, l.conn.options.LockDuration/3) == nil {
		err := l.renew(ctx)
		if !errors.Is(err, errTaken) {
			continue
		}
		l.mu.Lock()
		l.lostWhy = err
		l.mu.Unlock()
		close(l.lost)
		return
	}
}

func (l *Lock) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return l.update(ctx, func(lease *coordinationv1.Lease) {
		now := metav1.NewMicroTime(l.conn.options.Now())
		lease.Spec.RenewTime = &now
	})
}

// update changes the lease while it is the holder's.
func (l *Lock) update(ctx context.Context, edit func(*coordinationv1.Lease)) error {
	client, err := l.conn.fromHost(ctx)
	if err != nil {
		return err
	}
	leases := client.CoordinationV1().Leases(systemNamespace)
	lease, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: lease %s/%s is gone", errTaken, systemNamespace, leaseName)
	case err != nil:
		return fmt.Errorf("run lock: lease %s/%s: %w", systemNamespace, leaseName, err)
	case ptr.Deref(lease.Spec.HolderIdentity, "") != l.holder:
		return fmt.Errorf("%w: lease %s/%s is held by %q", errTaken, systemNamespace, leaseName, ptr.Deref(lease.Spec.HolderIdentity, ""))
	}
	edit(lease)
	if _, err := leases.Update(ctx, lease, metav1.UpdateOptions{FieldManager: FieldManager}); err != nil {
		return fmt.Errorf("run lock: lease %s/%s: %w", systemNamespace, leaseName, err)
	}
	return nil
}

// Lost is closed when the lock was taken away; Err tells how.
func (l *Lock) Lost() <-chan struct{} { return l.lost }

// Err returns why the lock was lost; nil while it is kept.
func (l *Lock) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lostWhy
}

// Release ends the heartbeat and gives the lock back. A lock that cannot be given back expires by itself; so does one that
// is lost, which is no error.
func (l *Lock) Release(ctx context.Context) error {
	l.cancel()
	<-l.stopped
	if l.Err() != nil {
		return nil
	}
	err := l.update(ctx, func(lease *coordinationv1.Lease) {
		nobody := ""
		lease.Spec.HolderIdentity, lease.Spec.RenewTime, lease.Spec.AcquireTime, lease.Spec.LeaseDurationSeconds = &nobody, nil, nil, nil
	})
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}
