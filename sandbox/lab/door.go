//go:build linux

package lab

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/expertflow/cxha/sandbox/site"
)

// dialPatience is how long a door waits for the machine behind it: about as long as TCP does.
const dialPatience = 2 * time.Minute

// door is a port of the machine's own 127.0.0.1 that leads to an address in the lab. It is the only way in.
type door struct {
	lab    *Lab
	lis    net.Listener
	port   int
	target func() string
	stop   context.CancelFunc

	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

func openDoor(l *Lab, wanted int, target func() string) (*door, error) {
	lis, err := site.ListenLoopback(wanted)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	d := &door{lab: l, lis: lis, port: lis.Addr().(*net.TCPAddr).Port, target: target, stop: stop, conns: map[net.Conn]bool{}}
	l.serving.Go(func() { d.serve(ctx) })
	return d, nil
}

func (d *door) serve(ctx context.Context) {
	for {
		conn, err := d.lis.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				d.lab.report(err)
			}
			return
		}
		d.lab.serving.Go(func() { d.pass(ctx, conn) })
	}
}

// pass carries a connection both ways. One that cannot be made is reset, as by a port where nobody listens.
func (d *door) pass(ctx context.Context, conn net.Conn) {
	if !d.keep(conn) {
		return
	}
	defer d.drop(conn)
	dialling, cancel := context.WithTimeout(ctx, dialPatience)
	inner, err := d.lab.outside.dial(dialling, d.target())
	cancel()
	if err != nil {
		d.lab.report(errors.Join(err, conn.(*net.TCPConn).SetLinger(0)))
		return
	}
	if !d.keep(inner) {
		return
	}
	defer d.drop(inner)
	var both sync.WaitGroup
	both.Go(func() { stream(inner, conn) })
	both.Go(func() { stream(conn, inner) })
	both.Wait()
}

// stream copies until one side ends, and hands the end on.
func stream(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		// A reset: both are over.
		to.Close()
		from.Close()
		return
	}
	if err := to.(*net.TCPConn).CloseWrite(); err != nil {
		to.Close() // it has ended from the other side
	}
}

// keep is false when the door is closed already.
func (d *door) keep(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns == nil {
		conn.Close()
		return false
	}
	d.conns[conn] = true
	return true
}

func (d *door) drop(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, conn)
	conn.Close()
}

// close ends all connections too.
func (d *door) close() error {
	d.stop()
	err := d.lis.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.conns {
		conn.Close()
	}
	d.conns = nil
	return err
}
