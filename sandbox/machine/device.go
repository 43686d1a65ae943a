package machine

import (
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"syscall"
)

// device is one of the files of /dev that scripts use.
type device struct {
	io.Reader
	io.Writer
}

// Close implements io.Closer: the stream behind a device stays open.
func (device) Close() error { return nil }

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

type unwritable struct{ err error }

func (u unwritable) Write([]byte) (int, error) { return 0, u.err }

// openDevice opens /dev/null and its like for a process.
func openDevice(p *Process, name string) (io.ReadWriteCloser, bool) {
	empty := strings.NewReader("")
	switch name {
	case "/dev/null":
		return device{empty, io.Discard}, true
	case "/dev/zero":
		return device{zeros{}, io.Discard}, true
	case "/dev/full":
		return device{zeros{}, unwritable{syscall.ENOSPC}}, true
	case "/dev/random", "/dev/urandom":
		return device{rand.Reader, io.Discard}, true
	case "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
		return device{p.Stdin, unwritable{errors.New("stdin is not open for writing")}}, true
	case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return device{empty, p.Stdout}, true
	case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
		return device{empty, p.Stderr}, true
	}
	return nil, false
}
