//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace that has no name: it lives as long as this process holds it or something runs in it, so that
// the kernel frees it however the lab ends.
type namespace struct {
	file *os.File
}

// newNamespace makes an empty network namespace, whose loopback is up.
func newNamespace() (*namespace, error) {
	result := make(chan error, 1)
	n := &namespace{}
	go func() {
		// The thread is changed, so it must end with this goroutine: it is never unlocked.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("network namespace: %w", err)
			return
		}
		file, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		n.file = file
		result <- err
	}()
	if err := <-result; err != nil {
		return nil, err
	}
	return n, n.ip(context.Background(), "link set lo up")
}

// path names the namespace for other programs while this process runs.
func (n *namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

func (n *namespace) close() error { return n.file.Close() }

// within runs f on a thread that is in the namespace: sockets that it makes and processes that it starts are of the namespace and
// stay so. f must not start goroutines for that.
func (n *namespace) within(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		result <- f()
	}()
	return <-result
}

// run runs a program in the namespace to its end.
func (n *namespace) run(ctx context.Context, stdin string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := n.within(cmd.Start); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, stdin, out.String())
	}
	return []byte(out.String()), nil
}

// ip runs lines of ip(8) in the namespace.
func (n *namespace) ip(ctx context.Context, lines ...string) error {
	_, err := n.run(ctx, strings.Join(lines, "\n")+"\n", "ip", "-batch", "-")
	return err
}

// setSysctls writes settings of the namespace, below /proc/sys/net.
func (n *namespace) setSysctls(settings map[string]string) error {
	return n.within(func() error {
		var failed error
		for name, value := range settings {
			failed = errors.Join(failed, os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644))
		}
		return failed
	})
}

// dial connects from inside the namespace. The address is an IP address and a port: names would be asked for elsewhere.
func (n *namespace) dial(ctx context.Context, address string) (conn net.Conn, err error) {
	err = n.within(func() error {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
		return err
	})
	return conn, err
}

// listen listens inside the namespace.
func (n *namespace) listen(ctx context.Context, address string) (lis net.Listener, err error) {
	err = n.within(func() error {
		lis, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		return err
	})
	return lis, err
}
