package helm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/repo/v1"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// fromRepository gets a chart from an HTTP repository: its address is in the repository's index.
func (c *Charts) fromRepository(ctx context.Context, ref blueprint.Chart) ([]byte, error) {
	login, err := loginFor(ref.Repository)
	if err != nil {
		return nil, err
	}
	text, err := c.get(ctx, strings.TrimSuffix(ref.Repository, "/")+"/index.yaml", login)
	if err != nil {
		return nil, err
	}
	entry, err := findChart(text, ref.Name, ref.Version)
	if err != nil {
		return nil, err
	}
	address, err := repo.ResolveReferenceURL(ref.Repository, entry.URLs[0])
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(address, "oci://") {
		return c.pull(ctx, address)
	}
	if !sameServer(ref.Repository, address) && (login == nil || !login.PassCredentialsAll) {
		login = nil
	}
	archive, err := c.get(ctx, address, login)
	if err != nil {
		return nil, err
	}
	if want := digits(entry.Digest); want != "" && want != digits(digestOf(archive)) {
		return nil, fmt.Errorf("the archive's digest is %s, and the repository's index has sha256:%s", digestOf(archive), want)
	}
	return archive, nil
}

// findChart reads a repository's index and returns the entry of exactly that version.
func findChart(index []byte, name, version string) (*repo.ChartVersion, error) {
	var file repo.IndexFile
	if err := yaml.Unmarshal(index, &file); err != nil {
		return nil, fmt.Errorf("the repository's index.yaml cannot be read: %w", err)
	}
	versions, ok := file.Entries[name]
	if !ok {
		return nil, fmt.Errorf("the repository has no chart of that name%s", someOf(" (it has ", ")", chartNames(file)))
	}
	exact := slices.ContainsFunc(versions, func(v *repo.ChartVersion) bool { return v != nil && v.Metadata != nil && v.Version == version })
	var others []string
	for _, v := range versions {
		switch {
		case v == nil || v.Metadata == nil:
		case v.Version != version && (exact || !schema.SameChartVersion(v.Version, version)):
			others = append(others, v.Version)
		case len(v.URLs) == 0 || v.URLs[0] == "":
			return nil, errors.New("the repository's index has no address of the archive")
		default:
			return v, nil
		}
	}
	return nil, fmt.Errorf("the repository does not have that version%s", someOf(" (it has ", ")", others))
}

func chartNames(file repo.IndexFile) []string {
	var names []string
	for name := range file.Entries {
		names = append(names, name)
	}
	return sorted(names)
}

// get downloads what is at an address.
func (c *Charts) get(ctx context.Context, address string, login *repo.Entry) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "cxha")
	transport := c.transport
	if login != nil {
		if login.Username != "" {
			req.SetBasicAuth(login.Username, login.Password)
		}
		if transport, err = withTLS(transport, login); err != nil {
			return nil, err
		}
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	switch resp.StatusCode {
	case http.StatusOK:
		return readAll(resp.Body)
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("%s: %s\nlog in with 'helm repo add --username ...': cxha uses the same credentials", address, resp.Status)
	}
	return nil, fmt.Errorf("%s: %s", address, resp.Status)
}

// loginFor returns what Helm knows of a repository, by its address: nil where `helm repo add` was never run for it.
func loginFor(repository string) (*repo.Entry, error) {
	file, err := repo.LoadFile(cli.New().RepositoryConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("helm's list of repositories: %w", err)
	}
	for _, e := range file.Repositories {
		if strings.TrimSuffix(e.URL, "/") == strings.TrimSuffix(repository, "/") {
			return e, nil
		}
	}
	return nil, nil
}

// withTLS returns the transport with a repository's own certificates.
func withTLS(base http.RoundTripper, login *repo.Entry) (http.RoundTripper, error) {
	if login.CAFile == "" && login.CertFile == "" && !login.InsecureSkipTLSVerify {
		return base, nil
	}
	plain, ok := base.(*http.Transport)
	if !ok {
		return base, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: login.InsecureSkipTLSVerify} // as the user told Helm
	if login.CAFile != "" {
		pem, err := os.ReadFile(login.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("file %s: it holds no certificate", login.CAFile)
		}
	}
	if login.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(login.CertFile, login.KeyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := plain.Clone()
	transport.TLSClientConfig = config
	return transport, nil
}

// sameServer reports whether two addresses are of one server, so that the login for one is meant for the other.
func sameServer(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Scheme == y.Scheme && strings.EqualFold(x.Host, y.Host)
}
