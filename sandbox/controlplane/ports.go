package controlplane

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
)

// Ports are the real loopback ports of a control plane. They are kept in a file, so that kubeconfigs survive a restart.
type Ports struct {
	APIServer  int `json:"apiServer"`
	EtcdClient int `json:"etcdClient"`
	EtcdPeer   int `json:"etcdPeer"`
}

// ReadPorts reads the ports that the control plane with this data directory listens on, or listened on last.
// The error is fs.ErrNotExist when it has never been started.
func ReadPorts(dir string) (Ports, error) {
	var ports Ports
	content, err := os.ReadFile(portsFile(dir))
	if err != nil {
		return ports, err
	}
	if err := json.Unmarshal(content, &ports); err != nil {
		return ports, fmt.Errorf("%s: %w", portsFile(dir), err)
	}
	return ports, nil
}

func portsFile(dir string) string { return dir + "/sandbox-ports.json" }

// choosePorts returns the ports of the last start if they are still free, else free ones, and writes down what it chose.
func choosePorts(dir string) (Ports, error) {
	ports, err := ReadPorts(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ports, err
	}
	held := make([]net.Listener, 0, 3)
	defer func() {
		for _, listener := range held {
			listener.Close() // held only so that no port is chosen twice
		}
	}()
	for _, port := range []*int{&ports.APIServer, &ports.EtcdClient, &ports.EtcdPeer} {
		listener, err := listenLoopback(*port)
		if err != nil {
			return ports, err
		}
		held = append(held, listener)
		*port = listener.Addr().(*net.TCPAddr).Port
	}
	content, err := json.Marshal(ports)
	if err != nil {
		return ports, err
	}
	return ports, writeFile(portsFile(dir), content, 0o600)
}

func listenLoopback(port int) (net.Listener, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil && port != 0 {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return listener, err
}
