//go:build linux

package linuxhost

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/coreos/go-systemd/v22/daemon"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/expertflow/cxha/sandbox/rke2"
)

// New is this host.
func New() (rke2.Host, error) {
	name, err := os.Hostname()
	if err != nil {
		return rke2.Host{}, fmt.Errorf("host name: %w", err)
	}
	return rke2.Host{Name: name, Files: Files{}, Network: Network{}, Direct: true}, nil
}

// Files are the host's files.
type Files struct{}

// ReadFile implements [rke2.FileReader].
func (Files) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }

// ReadDir implements [rke2.FileReader].
func (Files) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// WriteFile implements [rke2.FileWriter] in one step: a power cut leaves the old content or the new one.
func (Files) WriteFile(name string, data []byte, mode fs.FileMode) error {
	temporary := name + ".new"
	if err := os.WriteFile(temporary, data, mode); err != nil {
		return err
	}
	if err := os.Chmod(temporary, mode); err != nil {
		return err
	}
	return os.Rename(temporary, name)
}

// MkdirAll implements [rke2.FileWriter].
func (Files) MkdirAll(name string, mode fs.FileMode) error { return os.MkdirAll(name, mode) }

// Remove implements [rke2.FileWriter].
func (Files) Remove(name string) error { return os.Remove(name) }

// Symlink implements [rke2.FileLinker].
func (Files) Symlink(target, name string) error { return os.Symlink(target, name) }

// Readlink implements [rke2.FileLinker].
func (Files) Readlink(name string) (string, error) { return os.Readlink(name) }

// Network is the network of the host.
type Network struct{}

// Addresses implements [rke2.Network]. Without a default route there is no address that the others could be told (domain.md §2.3).
func (Network) Addresses() ([]netip.Addr, error) {
	chosen, err := utilnet.ChooseHostInterface()
	if err != nil {
		return nil, err
	}
	first, ok := netip.AddrFromSlice(chosen)
	if !ok {
		return nil, fmt.Errorf("address %v of the default route: not an IP address", chosen)
	}
	addresses := []netip.Addr{first.Unmap()}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		prefix, err := netip.ParsePrefix(one.String())
		if err != nil {
			return nil, err
		}
		if address := prefix.Addr().Unmap(); address != addresses[0] && !address.IsLoopback() {
			addresses = append(addresses, address)
		}
	}
	return addresses, nil
}

// Listen implements [rke2.Network].
func (Network) Listen(ctx context.Context, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", ":"+strconv.Itoa(port))
}

// Dial implements [rke2.Network]. The name goes through the hosts file first, which is read anew when it has changed.
func (Network) Dial(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// Notify tells systemd that the unit is ready; where no systemd waits for that it does nothing.
func Notify() error {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		return fmt.Errorf("sd_notify: %w", err)
	}
	return nil
}
