package rke2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// cachedPatience is how long a remembered address has for an answer before the server's name is looked up anew.
const cachedPatience = 2 * time.Second

// balancer is one of the agent's load balancers: it forwards a loopback port of the host to the server, and remembers in a file
// where it found it (domain.md §2.14).
type balancer struct {
	*agent
	file string // its state, inside the host
	port string // of the server

	mu sync.Mutex // guards the file: connections come together when the server's address has moved
}

// balancerState is the file of a load balancer, with k3s' keys.
type balancerState struct {
	ServerURL       string   `json:"ServerURL"`
	ServerAddresses []string `json:"ServerAddresses"`
}

// balance opens the way to the API server and returns its address for the node's child processes. The load balancers live as long
// as the daemon. On a machine of the sandbox there is one, on a free real port, and it leads through the private network, so that a
// cut cable cuts the node off too.
func (a *agent) balance(ctx context.Context, apiPort int) (address string, err error) {
	if !a.host.Direct {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		a.forward(ctx, listener, a.dialServer(strconv.Itoa(apiPort)))
		return listener.Addr().String(), nil
	}
	supervisor := &balancer{agent: a, file: a.path("agent", "etc", "rke2-agent-load-balancer.json"), port: a.port}
	api := &balancer{agent: a, file: a.path("agent", "etc", "rke2-api-server-agent-load-balancer.json"), port: strconv.Itoa(apiPort)}
	if err := errors.Join(supervisor.remember(ctx), api.remember(ctx)); err != nil {
		return "", err
	}
	if _, err := supervisor.open(ctx, a.config.Text("lb-server-port", "6444")); err != nil {
		return "", err
	}
	return api.open(ctx, strconv.Itoa(apiServerPort))
}

// open listens on a port of the loopback interface. It is open already when an earlier try has come as far as this.
func (b *balancer) open(ctx context.Context, port string) (address string, err error) {
	address = net.JoinHostPort("127.0.0.1", port)
	if slices.Contains(b.balanced, address) {
		return address, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("load balancer: %w", err)
	}
	b.balanced = append(b.balanced, address)
	b.forward(ctx, listener, b.dialServer)
	return address, nil
}

func (a *agent) forward(ctx context.Context, listener net.Listener, dial dialer) {
	go func() {
		if err := forward(ctx, listener, dial); err != nil {
			a.log.Errorf("load balancer: %v", err)
		}
	}()
}

// dialServer tries the remembered addresses, and then the server by its name.
func (b *balancer) dialServer(ctx context.Context) (net.Conn, error) {
	state, err := b.state()
	if err != nil {
		return nil, err
	}
	for _, address := range state.ServerAddresses {
		attempt, cancel := context.WithTimeout(ctx, cachedPatience)
		conn, err := b.host.Network.Dial(attempt, address)
		cancel()
		if err == nil {
			return conn, nil
		}
	}
	conn, err := b.host.Network.Dial(ctx, net.JoinHostPort(b.server, b.port))
	if err != nil {
		return nil, err
	}
	if err := b.keep(conn.RemoteAddr().String()); err != nil {
		b.log.Errorf("load balancer: %v", err) // the connection is good all the same
	}
	return conn, nil
}

// remember finds out where the server is now.
func (b *balancer) remember(ctx context.Context) error {
	conn, err := b.host.Network.Dial(ctx, net.JoinHostPort(b.server, b.port))
	if err != nil {
		return fmt.Errorf("load balancer: %w", err)
	}
	return errors.Join(b.keep(conn.RemoteAddr().String()), conn.Close())
}

// state is what the file says, if that is about the server of the configuration.
func (b *balancer) state() (balancerState, error) {
	var state balancerState
	data, err := b.host.Files.ReadFile(b.file)
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	if json.Unmarshal(data, &state) != nil || state.ServerURL != b.serverURL {
		return balancerState{}, nil // torn by a power cut, or of another server: it is written anew
	}
	return state, nil
}

func (b *balancer) keep(address string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	state, err := b.state()
	if err != nil || slices.Contains(state.ServerAddresses, address) {
		return err
	}
	encoded, err := json.Marshal(balancerState{ServerURL: b.serverURL, ServerAddresses: []string{address}})
	if err != nil {
		return err
	}
	return b.writeFile(b.file, encoded, 0o600)
}
