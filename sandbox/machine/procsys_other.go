//go:build !linux

package machine

import "os"

// atOffsetZero returns a file with the text. Only Linux has pipes that lose what was not read at once, so that here the sandbox
// cannot behave like the kernel to shells that read byte by byte.
func atOffsetZero(text []byte) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		closeQuietly(r)
		return nil, err
	}
	return r, nil
}
