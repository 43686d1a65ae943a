package helm

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"helm.sh/helm/v4/pkg/registry"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/expertflow/cxha/schema/blueprint"
)

// fromRegistry gets a chart from an OCI registry.
func (c *Charts) fromRegistry(ctx context.Context, ref blueprint.Chart) ([]byte, error) {
	return c.pull(ctx, ref.Name+":"+ref.Version)
}

// pull gets the chart at oci://REGISTRY/PATH/NAME:VERSION, with the credentials that `helm registry login` or `docker login` left.
// A registry on this machine itself is spoken to without TLS.
func (c *Charts) pull(ctx context.Context, address string) ([]byte, error) {
	options := []registry.ClientOption{registry.ClientOptHTTPClient(&http.Client{Transport: bound{ctx, retry.NewTransport(c.transport)}})}
	if isLoopback(address) {
		options = append(options, registry.ClientOptPlainHTTP())
	}
	client, err := registry.NewClient(options...)
	if err != nil {
		return nil, err
	}
	result, err := client.Pull(address)
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return nil, errors.New("the registry does not have that chart or version")
	case err != nil:
		return nil, err
	}
	return result.Chart.Data, nil
}

func isLoopback(address string) bool {
	host, _, _ := strings.Cut(strings.TrimPrefix(address, registry.OCIScheme+"://"), "/")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// bound is a transport whose calls end with a context: Helm's registry client takes none.
type bound struct {
	ctx  context.Context
	base http.RoundTripper
}

func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.base.RoundTrip(r.WithContext(b.ctx))
}
