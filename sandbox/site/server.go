package site

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrRunning tells that a server runs in the directory already.
var ErrRunning = errors.New("a server runs in this directory already")

// lock takes the directory's lock, which the kernel frees when the server dies in whatever way. The file has the
// server's process id.
func (p Paths) takeLock() (*os.File, error) {
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p.lock(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(ErrRunning, f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", p.lock(), err), f.Close())
	}
	return f, nil
}

// awaitLock is takeLock with a little patience: others hold the lock for a moment to see whether anybody does.
func (p Paths) awaitLock(ctx context.Context) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := p.takeLock()
		if !errors.Is(err, ErrRunning) {
			return f, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// serverPID is the process that holds the lock; 0 when nobody does.
func (p Paths) serverPID() (int, error) {
	if _, err := os.Stat(p.lock()); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	f, err := p.takeLock()
	if err == nil {
		return 0, f.Close()
	}
	if !errors.Is(err, ErrRunning) {
		return 0, err
	}
	data, err := os.ReadFile(p.lock())
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", p.lock(), err)
	}
	return pid, nil
}

// Serve runs a world until ctx ends or down is called. open builds it; the control socket appears when open has returned, and the
// world is closed at the end.
func Serve(ctx context.Context, p Paths, open func(context.Context) (World, error)) (err error) {
	lock, err := p.awaitLock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := lock.Truncate(0); err != nil {
		return err
	}
	if _, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return err
	}
	// The hosts' directories are to be readable for the hosts' users, whatever the caller's own mask is.
	syscall.Umask(0o022)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	world, err := open(ctx)
	if err != nil {
		return err
	}
	err = serveControl(ctx, p, control{world: world, stop: stop})
	if closer, ok := world.(io.Closer); ok {
		err = errors.Join(err, closer.Close())
	}
	return err
}

func serveControl(ctx context.Context, p Paths, c control) error {
	lis, err := listenControl(p)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: c.handler(), ReadHeaderTimeout: 30 * time.Second}
	defer context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := server.Shutdown(last); err != nil {
			fmt.Fprintf(os.Stderr, "control: %v\n", err)
		}
	})()
	if err := server.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Up waits until the server that start launches serves the control socket. start is called only when no server runs; it
// returns a channel that is closed when the launched process has ended. started is false when one ran already.
func Up(ctx context.Context, p Paths, start func() (ended <-chan struct{}, err error)) (st Status, started bool, err error) {
	client := NewClient(p)
	pid, err := p.serverPID()
	if err != nil {
		return st, false, err
	}
	var ended <-chan struct{}
	if pid == 0 {
		if err := removeStale(p); err != nil {
			return st, false, err
		}
		if ended, err = start(); err != nil {
			return st, false, err
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if st, err = client.Status(ctx); err == nil {
			return st, pid == 0, nil
		}
		select {
		case <-ended:
			return st, false, errors.New("the server ended while it started:\n" + logTail(p))
		case <-ctx.Done():
			return st, false, fmt.Errorf("the hosts did not come up: %w; its log is %s", ctx.Err(), p.Log())
		case <-tick.C:
		}
		if ended == nil { // somebody else has started the server: see that it lives
			if pid, err := p.serverPID(); err != nil || pid == 0 {
				return st, false, errors.Join(errors.New("the server ended while it started:\n"+logTail(p)), err)
			}
		}
	}
}

// removeStale removes the socket of a server that was killed, so that nobody waits at it.
func removeStale(p Paths) error {
	if err := os.Remove(p.socketPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func logTail(p Paths) string {
	data, err := os.ReadFile(p.Log())
	if err != nil {
		return err.Error()
	}
	return string(data[max(len(data)-4000, 0):])
}

// Down ends the server: first by asking it, then, when it does not answer, by signals to its process. It returns when the
// process has let go of the directory; the files stay. It is false when no server ran.
func Down(ctx context.Context, p Paths) (wasUp bool, err error) {
	pid, err := p.serverPID()
	if err != nil || pid == 0 {
		return false, errors.Join(err, removeStale(p))
	}
	ask := []func() error{
		func() error { return NewClient(p).down(ctx) },
		func() error { return syscall.Kill(pid, syscall.SIGTERM) },
		func() error { return syscall.Kill(pid, syscall.SIGKILL) },
	}
	for _, attempt := range ask {
		if err := attempt(); err != nil && !errors.Is(err, syscall.ESRCH) {
			continue
		}
		if gone, err := awaitGone(ctx, p, 30*time.Second); gone || err != nil {
			return true, errors.Join(err, removeStale(p))
		}
	}
	return true, fmt.Errorf("process %d does not end", pid)
}

func awaitGone(ctx context.Context, p Paths, patience time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		pid, err := p.serverPID()
		if err != nil || pid == 0 {
			return pid == 0, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// Exists tells whether a sandbox was ever made in the directory.
func (p Paths) Exists() bool {
	_, err := os.Stat(filepath.Join(p.Dir, "sandbox.json"))
	return err == nil
}

// socketPath is the control socket: in the directory, or in the system's one for temporary files when the path is too
// long for a socket's address (104 bytes on macOS, 108 on Linux).
func (p Paths) socketPath() string {
	name := p.at("control.sock")
	if len(name) < 100 {
		return name
	}
	sum := sha256.Sum256([]byte(p.Dir))
	return filepath.Join(os.TempDir(), fmt.Sprintf("cxha-sandbox-%x.sock", sum[:8]))
}

// ListenLoopback takes a port of 127.0.0.1: the wanted one if it is free.
func ListenLoopback(wanted int) (net.Listener, error) {
	lis, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(wanted)))
	if err != nil && wanted != 0 {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return lis, err
}
