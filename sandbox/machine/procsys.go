package machine

import (
	"errors"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
)

// openSetting opens what the kernel shows of a setting below /proc/sys for a shell. The kernel prints a number only to a read that
// begins at offset 0 (its proc_dointvec), so that shells which read byte by byte, dash among them, get the first digit. Programs
// such as cat read enough at once. f is the file on the disk; it is closed if another one is returned.
func openSetting(name string, flag int, f *os.File) (*os.File, error) {
	if flag != os.O_RDONLY || !strings.HasPrefix(path.Clean(name), "/proc/sys/") {
		return f, nil
	}
	text, err := io.ReadAll(f)
	if err == nil && !numeric(string(text)) {
		_, err = f.Seek(0, io.SeekStart)
		return f, err
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return atOffsetZero(text)
}

// numeric reports whether a setting is one number or several.
func numeric(text string) bool {
	words := strings.Fields(text)
	for _, w := range words {
		if _, err := strconv.ParseInt(w, 10, 64); err != nil {
			return false
		}
	}
	return len(words) > 0
}
