package machine

import (
	"io/fs"
	"syscall"
	"time"
)

// Info describes a file: an fs.FileInfo whose mode is the host's own idea of it, with the owner by name.
type Info struct {
	real        fs.FileInfo
	mode        fs.FileMode
	User, Group string
}

var _ fs.FileInfo = (*Info)(nil)

// Name implements fs.FileInfo.
func (i *Info) Name() string { return i.real.Name() }

// Size implements fs.FileInfo.
func (i *Info) Size() int64 { return i.real.Size() }

// Mode implements fs.FileInfo.
func (i *Info) Mode() fs.FileMode { return i.mode }

// ModTime implements fs.FileInfo.
func (i *Info) ModTime() time.Time { return i.real.ModTime() }

// IsDir implements fs.FileInfo.
func (i *Info) IsDir() bool { return i.mode.IsDir() }

// Sys implements fs.FileInfo.
func (i *Info) Sys() any { return i.real.Sys() }

func inodeOf(i fs.FileInfo) uint64 {
	if st, ok := i.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// octal is the mode as chmod(1) takes it: permission bits, sticky, setgid and setuid.
func octal(m fs.FileMode) uint32 {
	o := uint32(m.Perm())
	if m&fs.ModeSticky != 0 {
		o |= 0o1000
	}
	if m&fs.ModeSetgid != 0 {
		o |= 0o2000
	}
	if m&fs.ModeSetuid != 0 {
		o |= 0o4000
	}
	return o
}

// fromOctal is the inverse of octal.
func fromOctal(o uint32) fs.FileMode {
	m := fs.FileMode(o & 0o777)
	if o&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	if o&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if o&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	return m
}
