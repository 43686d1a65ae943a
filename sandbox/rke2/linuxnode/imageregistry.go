//go:build linux

package linuxnode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/expertflow/cxha/sandbox/images/registry"
)

const (
	// registryDir holds the images that stand in for the internet's registries: hosts of the lab have it, others do not.
	registryDir = "/usr/share/cxha-lab/images"
	// registryAddress is where containerd finds them. No outgoing connection is given a port below 1024, and no RPC service one
	// below 600; neither RKE2 nor Kubernetes uses this one.
	registryAddress = "127.0.0.1:590"
)

// serveImages serves the images of a directory at an address until the context ends; nothing, if there is no such directory.
func (n *node) serveImages(ctx context.Context, directory, address string) error {
	if _, err := os.Stat(directory); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	images, err := registry.Open(directory, func(file string, why error) {
		n.Log.Errorf("Image archive %s is not served: %v", file, why)
	})
	if err != nil {
		return fmt.Errorf("images of the lab: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return errors.Join(fmt.Errorf("images of the lab: %w", err), images.Close())
	}
	server := &http.Server{Handler: images, ReadHeaderTimeout: 10 * time.Second}
	closed := make(chan error, 1)
	context.AfterFunc(ctx, func() { closed <- server.Close() })
	n.parts.Go(func() {
		err := server.Serve(listener)
		if !errors.Is(err, http.ErrServerClosed) {
			n.end(fmt.Errorf("images of the lab: %w", err))
			<-ctx.Done()
		}
		if err := errors.Join(<-closed, images.Close()); err != nil {
			n.Log.Warnf("Images of the lab: %v", err)
		}
	})
	n.mirror = "http://" + listener.Addr().String()
	return nil
}
