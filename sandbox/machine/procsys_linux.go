package machine

import (
	"os"

	"golang.org/x/sys/unix"
)

// atOffsetZero returns a file that gives its text to the first read only, as the kernel does for numeric settings: what does not
// fit into the reader's buffer is lost. It is a pipe in packet mode (pipe2(2), O_DIRECT), so text is at most 4096 bytes long.
func atOffsetZero(text []byte) (*os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_DIRECT|unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	r, w := os.NewFile(uintptr(fds[0]), "setting"), os.NewFile(uintptr(fds[1]), "setting")
	_, err := w.Write(text)
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		closeQuietly(r)
		return nil, err
	}
	return r, nil
}
