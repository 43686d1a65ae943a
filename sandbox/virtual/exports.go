package virtual

import (
	"errors"
	"fmt"
	"os"

	"github.com/expertflow/cxha/sandbox/site"
)

const nfsPort = 2049

// serveExports puts the NFS server on the network: it answers on its port, and the machines' mount takes the rest from Exports.
func (s *Site) serveExports() error {
	if s.config.Exports == nil {
		return nil
	}
	if err := s.config.Exports.Open(); err != nil {
		return err
	}
	lis, err := s.net.Attach("nfs", site.NFSAddress).Listen(nfsPort)
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
