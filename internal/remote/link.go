package remote

import (
	"context"
	"sync"
)

// link is a connection that is made when it is first needed and made again when it broke. All callers share it.
type link struct {
	dial func(context.Context) (*conn, error)

	mu     sync.Mutex // guards what follows
	conn   *conn      // the last one; it may be dead
	trial  *trial     // the dial under way, if any
	closed bool
}

// trial is one dial. It is called off when nobody waits for it any more.
type trial struct {
	done    chan struct{} // closed when conn and err are set
	conn    *conn
	err     error
	cancel  context.CancelFunc
	waiting int // guarded by link.mu
}

func newLink(dial func(context.Context) (*conn, error)) *link {
	return &link{dial: dial}
}

// get returns the live connection. It waits for a dial under way, or begins one.
func (l *link) get(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, errClosed
	}
	if l.conn != nil && !l.conn.isDead() {
		defer l.mu.Unlock()
		return l.conn, nil
	}
	if l.trial == nil {
		l.trial = l.begin()
	}
	t := l.trial
	t.waiting++
	l.mu.Unlock()

	select {
	case <-t.done:
		return t.conn, t.err
	case <-ctx.Done():
		l.leave(t)
		return nil, ctx.Err()
	}
}

func (l *link) begin() *trial {
	ctx, cancel := context.WithCancel(context.Background()) // the dial serves several callers: it ends with the last of them
	t := &trial{done: make(chan struct{}), cancel: cancel}
	go func() {
		defer cancel()
		t.conn, t.err = l.dial(ctx)
		l.settle(t)
		close(t.done)
	}()
	return t
}

func (l *link) settle(t *trial) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trial == t && !l.closed {
		l.trial, l.conn = nil, t.conn
		return
	}
	if t.conn != nil { // nobody wants it any more
		t.conn.close(errClosed)
		t.conn, t.err = nil, errClosed
	}
}

func (l *link) leave(t *trial) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.waiting--
	if t.waiting == 0 {
		t.cancel()
		if l.trial == t {
			l.trial = nil
		}
	}
}

// close ends the connection for good.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	c, t := l.conn, l.trial
	l.mu.Unlock()
	if t != nil {
		t.cancel()
		<-t.done
	}
	if c != nil {
		c.close(errClosed)
	}
}
