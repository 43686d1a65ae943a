package network

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

const (
	// resolveWait is how long a dialler waits for the link-layer address of a host that does not answer before it
	// gives up: Linux sends three ARP requests, one a second.
	resolveWait = 3 * time.Second
	// deadAfter is how long a connection over a cut line stays open before it fails with a timeout. Linux itself
	// retransmits for about fifteen minutes; the programs on top (kubelet, client-go, ssh keepalives) give up after
	// some thirty seconds, and nobody waits longer in a sandbox.
	deadAfter = 30 * time.Second
)

func dialError(from netip.Addr, to netip.AddrPort, err error) error {
	op := &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	if from.IsValid() {
		op.Source = &net.TCPAddr{IP: from.AsSlice()}
	}
	return op
}

func connectError(from netip.Addr, to netip.AddrPort, errno syscall.Errno) error {
	return dialError(from, to, os.NewSyscallError("connect", errno))
}
