package site

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
)

// serveExports puts the NFS server on the network: it answers on its port, and the machines' mount takes the rest from Exports.
func (s *Site) serveExports() error {
	if s.config.Exports == nil {
		return nil
	}
	if err := s.config.Exports.Open(); err != nil {
		return err
	}
	lis, err := s.net.Attach("nfs", netip.MustParseAddr(nfsAddress)).Listen(nfsPort)
	if err != nil {
		return errors.Join(err, s.config.Exports.Close())
	}
	s.nfs = lis
	s.serving.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return // closed
			}
			if err := conn.Close(); err != nil {
				fmt.Fprintf(os.Stderr, "nfs: %v\n", err)
			}
		}
	})
	return nil
}

// Arp puts a foreign machine on an address, or takes it away.
func (s *Site) Arp(verb string, addr netip.Addr) error {
	switch verb {
	case "add":
		s.net.AddForeign(addr)
	case "remove":
		s.net.RemoveForeign(addr)
	default:
		return fmt.Errorf("%q: it is add or remove", verb)
	}
	return nil
}
