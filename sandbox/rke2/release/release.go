package release

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// The mark is the version between these two, at the very end of the file. Linux loads a program without looking there.
const (
	prefix = "\x00rke2 release "
	suffix = "\n"
)

// maxMark is more than the longest mark.
const maxMark = 128

// ErrNone is the error for a program without a mark.
var ErrNone = errors.New("damaged: no release")

// Mark is what has to follow the program for it to be this version, such as v1.35.7+rke2r1.
func Mark(version string) []byte { return []byte(prefix + version + suffix) }

// Find reads the version at the end of a program of this size.
func Find(program io.ReaderAt, size int64) (string, error) {
	length := min(size, maxMark)
	end := make([]byte, length)
	if n, err := program.ReadAt(end, size-length); err != nil && (!errors.Is(err, io.EOF) || int64(n) != length) {
		return "", err
	}
	at := bytes.LastIndex(end, []byte(prefix))
	version, whole := bytes.CutSuffix(end[max(at, 0):], []byte(suffix))
	if at < 0 || !whole || len(version) == len(prefix) || bytes.ContainsAny(version[len(prefix):], "\x00\n") {
		return "", ErrNone
	}
	return string(version[len(prefix):]), nil
}

// Own is the version of the running program, also when its file has been replaced since.
func Own() (version string, err error) {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer file.Close() // only read from
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if version, err = Find(file, info.Size()); err != nil {
		return "", fmt.Errorf("%s: %w", os.Args[0], err)
	}
	return version, nil
}
