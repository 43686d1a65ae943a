package rke2

import (
	"context"
	"io/fs"
	"net"
	"net/netip"
)

// Host is the host that a daemon runs on: one of the sandbox's machines, or a real one.
type Host struct {
	Name    string
	Files   Files
	Network Network
	// Root is the real directory of the host's root, for child processes; empty on a real host.
	Root string
	// Direct says that child processes share the host's network: the control plane then listens where RKE2's does, and reaches
	// pods and Services by itself.
	Direct bool
	// PowerIsOff tells whether a daemon whose context has ended ends because of a power cut: then it cleans nothing. Nil: never.
	PowerIsOff func(ctx context.Context) bool
}

// Files is the host's file system; paths are absolute inside the host.
type Files interface {
	FileReader
	FileWriter
	FileLinker
}

// FileReader reads files and directories.
type FileReader interface {
	ReadFile(name string) ([]byte, error)
	ReadDir(name string) ([]fs.DirEntry, error)
}

// FileWriter makes and removes files. WriteFile gives the file its mode also when it was there before.
type FileWriter interface {
	WriteFile(name string, data []byte, mode fs.FileMode) error
	MkdirAll(name string, mode fs.FileMode) error
	Remove(name string) error
}

// FileLinker makes and reads symbolic links.
type FileLinker interface {
	Symlink(target, name string) error
	Readlink(name string) (string, error)
}

// Network is the host's network.
type Network interface {
	// Addresses are the host's addresses, the one of the default route first.
	Addresses() ([]netip.Addr, error)
	// Listen opens a TCP port on all addresses.
	Listen(ctx context.Context, port int) (net.Listener, error)
	// Dial connects to host:port; the name is looked up at every call.
	Dial(ctx context.Context, address string) (net.Conn, error)
}
