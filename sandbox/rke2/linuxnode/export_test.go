//go:build linux

package linuxnode

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/expertflow/cxha/sandbox/rke2"
)

// Inner parts, for their tests.
var (
	HasNameServer   = hasNameServer
	ParseRegistries = parseRegistries
	FindArchives    = findArchives
	InstallRuntime  = installRuntime
	CopyPrograms    = copyPrograms
)

// Seat is where a node's pods are.
type Seat struct {
	Pods netip.Prefix
	Host netip.Addr
}

func SeatOf(node *corev1.Node) (s Seat, whole bool) {
	is := seatOf(node)
	return Seat{is.pods, is.host}, is.isWhole()
}

// Overlay is an overlay's end on this host.
type Overlay struct{ inner *overlay }

func OpenOverlay(own Seat) (Overlay, error) {
	o, err := openOverlay(seat{own.Pods, own.Host})
	return Overlay{o}, err
}

func (o Overlay) SetPeers(peers ...Seat) error {
	var seats []seat
	for _, peer := range peers {
		seats = append(seats, seat{peer.Pods, peer.Host})
	}
	return o.inner.setPeers(seats)
}

func Masquerade(ctx context.Context, pods string) error { return masquerade(ctx, pods) }

func NetworkConfig(pods netip.Prefix, mtu int) ([]byte, error) { return networkConfig(pods, mtu) }

func WriteStaticPods(options rke2.NodeOptions) error {
	return (&node{NodeOptions: options}).writeStaticPods()
}

func WriteKubeletConfig(options rke2.NodeOptions) error {
	return (&node{NodeOptions: options}).writeKubeletConfig()
}

func KubeletArguments(options rke2.NodeOptions) ([]string, error) {
	return (&node{NodeOptions: options}).kubeletArguments()
}

// ServeImages serves a directory's images on the loopback interface and returns the mirror's URL, and what waits until they are served
// no more.
func ServeImages(ctx context.Context, options rke2.NodeOptions, directory, address string) (mirror string, wait func(), err error) {
	n := &node{NodeOptions: options, done: make(chan struct{})}
	err = n.serveImages(ctx, directory, address)
	return n.mirror, n.parts.Wait, err
}

func WriteRegistries(options rke2.NodeOptions, mirror string) error {
	return (&node{NodeOptions: options, mirror: mirror}).writeRegistries()
}

func ContainerdConfig(options rke2.NodeOptions) ([]byte, error) {
	return (&node{NodeOptions: options}).containerdConfig()
}
