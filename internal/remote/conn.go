package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// conn is an established, checked SSH connection.
type conn struct {
	client *ssh.Client
	raw    net.Conn
	via    *conn         // the bastion's connection that raw runs in; nil: none
	dead   chan struct{} // closed when the connection is gone, and cause is set

	mu      sync.Mutex // guards what follows
	cause   error
	refused int // how many of tokens the host's own limit of sessions takes away

	tokens chan struct{} // one per session, and one for each that is refused
}

// lifeSign is how long a host may take to show that it is there after something on its connection has ended.
const lifeSign = 5 * time.Second

func newConn(client *ssh.Client, raw net.Conn, via *conn, keepAlive time.Duration) *conn {
	c := &conn{client: client, raw: raw, via: via, dead: make(chan struct{}), tokens: make(chan struct{}, maxSessions)}
	go c.watch()
	go c.keepAlive(keepAlive)
	return c
}

func (c *conn) watch() {
	c.blame(c.client.Wait())
	close(c.dead)
}

var errHungUp = errors.New("the other side closed it")

// blame keeps the first cause of the connection's death.
func (c *conn) blame(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	if cause == nil || errors.Is(cause, io.EOF) {
		cause = errHungUp
	}
	c.cause = cause
}

// why returns the cause of the connection's death.
func (c *conn) why() error {
	c.mu.Lock()
	cause := c.cause
	c.mu.Unlock()
	if errors.Is(cause, errHungUp) && c.via != nil && !c.via.answers(lifeSign) {
		return fmt.Errorf("the bastion's connection was lost: %w", c.via.why())
	}
	return cause
}

func (c *conn) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// answers reports whether the other side still answers: the news of a dead connection may come long after the end of its
// channels, and a question gets its answer, or none, at once.
func (c *conn) answers(patience time.Duration) bool {
	asked := make(chan error, 1)
	go func() { asked <- c.alive() }()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case err := <-asked:
		if err == nil {
			return true
		}
		select { // a moment later the cause is known
		case <-c.dead:
		case <-t.C:
		}
		return false
	case <-c.dead:
		return false
	case <-t.C:
		return true
	}
}

// alive asks for a sign of life. It returns when there is one, or when the connection is lost.
func (c *conn) alive() error {
	_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
	return err
}

// close ends the connection. The raw connection goes first: after that nothing can block, not even on a network that is cut.
func (c *conn) close(cause error) {
	c.blame(cause)
	c.drop()
	<-c.dead
}

func (c *conn) drop() {
	// Both report "already closed" when the other side was faster, which is what is wanted.
	_ = c.raw.Close()
	_ = c.client.Close()
}

// keepAlive asks the other side for a sign of life, and gives the connection up when there is none for three intervals, so
// that nothing waits on a cut network for ever.
func (c *conn) keepAlive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-c.dead:
			return
		case <-tick.C:
		}
		giveUp := time.AfterFunc(3*every, func() {
			c.blame(fmt.Errorf("no sign of life for %s", short(3*every)))
			c.drop()
		})
		err := c.alive()
		giveUp.Stop()
		if err != nil {
			c.blame(err)
			c.drop() // what could not be written to may still be read from, for ever
			return
		}
	}
}

// session opens a channel for one command; release must follow when the other side has closed it too.
func (c *conn) session(ctx context.Context) (*ssh.Session, error) {
	for alone := false; ; {
		select {
		case c.tokens <- struct{}{}:
		case <-c.dead:
			return nil, c.why()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		narrowed := false
		s, err := await(ctx, func() (*ssh.Session, error) {
			s, err := c.client.NewSession()
			if err != nil {
				narrowed = c.narrow(err)
			}
			if err != nil && !narrowed {
				c.release()
			}
			return s, err
		}, func(s *ssh.Session, err error) {
			if err == nil {
				_ = s.Close() // nobody is there to hear of a failure
				c.release()
			}
		})
		var refused *ssh.OpenChannelError
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.As(err, &refused) || !narrowed && alone:
			return nil, err
		}
		alone = !narrowed // the last other session may just have ended: try once more
	}
}

func (c *conn) release() { <-c.tokens }

// narrow takes one session away from those that may run at a time, if err is the host's refusal of it. It returns false
// when no other session runs: then waiting for one to end does not help.
func (c *conn) narrow(err error) bool {
	var refused *ssh.OpenChannelError
	c.mu.Lock()
	defer c.mu.Unlock()
	if !errors.As(err, &refused) || len(c.tokens)-c.refused <= 1 {
		return false
	}
	c.refused++
	return true
}

// forward opens a TCP connection from the other side. Its deadlines do not work.
func (c *conn) forward(ctx context.Context, addr string) (net.Conn, error) {
	return await(ctx, func() (net.Conn, error) { return c.client.Dial("tcp", addr) }, func(nc net.Conn, err error) {
		if err == nil {
			_ = nc.Close() // nobody is there to hear of a failure
		}
	})
}

// await runs open, which cannot be interrupted, and leaves it behind when ctx ends: its result then goes to late.
func await[T any](ctx context.Context, open func() (T, error), late func(T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result) // unbuffered: a result is either taken or late
	go func() {
		v, err := open()
		select {
		case done <- result{v, err}:
		case <-ctx.Done():
			late(v, err)
		}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
