package remote

import (
	"net"
	"strconv"
	"strings"
)

const defaultPort = 22

// join returns address and port in the form of net.Dial and known_hosts. An address may be a name, an IPv4 address, or an
// IPv6 address with or without brackets. Port 0 means 22.
func join(address string, port int) string {
	if port == 0 {
		port = defaultPort
	}
	if strings.HasPrefix(address, "[") && strings.HasSuffix(address, "]") {
		address = address[1 : len(address)-1]
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}

// withoutDefaultPort returns address:port as people write it: the port is left out where it is 22.
func withoutDefaultPort(hostport string) string {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil || port != strconv.Itoa(defaultPort) {
		return hostport
	}
	return host
}
