package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

// apiAddress is where the API server listens on the control plane's host.
const apiAddress = "127.0.0.1:6443"

// AdminConfig returns the administrator's kubeconfig with another address of the API server, such as https://10.10.1.10:6443. It is read
// from the control plane's host, and is a secret: who has it has the cluster.
func (p *Provider) AdminConfig(ctx context.Context, s providers.Session, bp *blueprint.Blueprint, server string) ([]byte, error) {
	name := bp.ControlPlane.Name
	host, err := s.Host(ctx, name)
	if err != nil {
		return nil, err
	}
	reply, err := host.Run(ctx, new(shell.Script).Add("%s", shell.Raw(readKubeconfig)))
	if err != nil {
		return nil, err
	}
	switch {
	case reply.Exit != 0:
		return nil, fmt.Errorf("host %s: %s cannot be read: %s", name, Kubeconfig, strings.TrimSpace(reply.Stderr))
	case strings.TrimSpace(reply.Stdout) == "":
		return nil, fmt.Errorf("host %s: %w: RKE2 has not been started there", name, errNotStarted)
	}
	return pointed([]byte(reply.Stdout), server, bp.Cluster.Name)
}

// pointed gives a kubeconfig another server, and its parts the cluster's name, so that it can be merged with others.
func pointed(text []byte, server, cluster string) ([]byte, error) {
	config, err := clientcmd.Load(text)
	if err != nil || config.Contexts[config.CurrentContext] == nil {
		// The parser's message may quote the file, which is a secret.
		return nil, errors.New(Kubeconfig + " is not a kubeconfig")
	}
	current := config.Contexts[config.CurrentContext]
	c, user := config.Clusters[current.Cluster], config.AuthInfos[current.AuthInfo]
	if c == nil || user == nil {
		return nil, errors.New(Kubeconfig + " has no cluster or no user")
	}
	c.Server = server
	admin := cluster + "-admin"
	current.Cluster, current.AuthInfo = cluster, admin
	clear(config.Clusters)
	clear(config.AuthInfos)
	clear(config.Contexts)
	config.Clusters[cluster], config.AuthInfos[admin], config.Contexts[cluster] = c, user, current
	config.CurrentContext = cluster
	return clientcmd.Write(*config)
}

// Forward listens on a port of this machine's loopback and leads each connection through the control plane's SSH connection to the API
// server. Close ends it.
type Forward struct {
	listener net.Listener
	stop     context.CancelFunc
	open     sync.WaitGroup
}

// Forward begins to listen. The context ends it, too.
func (p *Provider) Forward(ctx context.Context, s providers.Session, bp *blueprint.Blueprint) (*Forward, error) {
	host, err := s.Host(ctx, bp.ControlPlane.Name)
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("tunnel to the Kubernetes API: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	f := &Forward{listener: l, stop: stop}
	f.open.Go(func() { f.accept(ctx, host) })
	return f, nil
}

// Server is the API server's address for clients on this machine.
func (f *Forward) Server() string { return "https://" + f.listener.Addr().String() }

// Close ends the forwarding and all connections.
func (f *Forward) Close() error {
	f.stop()
	err := f.listener.Close()
	f.open.Wait()
	if err != nil {
		return fmt.Errorf("tunnel to the Kubernetes API: %w", err)
	}
	return nil
}

func (f *Forward) accept(ctx context.Context, host providers.Host) {
	for {
		near, err := f.listener.Accept()
		if err != nil { // closed
			return
		}
		f.open.Go(func() { lead(ctx, host, near) })
	}
}

// lead copies both ways until one side ends. A client sees a broken connection where the API server does not answer, as it would without
// the tunnel.
func lead(ctx context.Context, host providers.Host, near net.Conn) {
	defer func() { _ = near.Close() }() // closed already where the other side ended first
	far, err := host.Dial(ctx, "tcp", apiAddress)
	if err != nil {
		return
	}
	end := sync.OnceFunc(func() {
		_ = near.Close() // an error means that it was closed already
		_ = far.Close()
	})
	defer end()
	defer context.AfterFunc(ctx, end)()
	var back sync.WaitGroup
	back.Go(func() {
		defer end()
		_, _ = io.Copy(near, far) // how it ended is the client's to see
	})
	_, _ = io.Copy(far, near)
	end()
	back.Wait()
}
