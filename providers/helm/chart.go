package helm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/singleflight"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// ChartOptions say where charts are kept and how they are fetched. Zero values mean the defaults.
type ChartOptions struct {
	// Cache is the directory of charts by their digest. Default: cxha/charts in the user's cache directory.
	Cache string

	// Transport makes the calls to registries and repositories. Default: a transport of its own, which knows the proxies of
	// the environment.
	Transport http.RoundTripper
}

// Charts gets charts by their digest: from files beside the blueprint, from the cache, or from where the blueprint says, and
// then keeps them in the cache. It is safe for concurrent use.
type Charts struct {
	transport http.RoundTripper
	flight    singleflight.Group

	dir func() (string, error)
}

// NewCharts returns the charts of the options. It does no I/O.
func NewCharts(o ChartOptions) *Charts {
	settle()
	c := &Charts{transport: o.Transport}
	if c.transport == nil {
		c.transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	c.dir = sync.OnceValues(func() (string, error) {
		if o.Cache != "" {
			return o.Cache, nil
		}
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("directory for charts: %w", err)
		}
		return filepath.Join(base, "cxha", "charts"), nil
	})
	return c
}

// maxArchive bounds what is read of a chart or an index: more than any real one has.
const maxArchive = 100 << 20

// DigestError is a chart with other bytes than those that were agreed on.
type DigestError struct {
	Chart  blueprint.Chart
	Locked string // digest in the lock file
	Found  string // digest of what is there
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s: its digest is %s, and the lock file has %s\nsomebody changed the chart without giving it another version. If the change is wanted, run 'cxha lock --accept-changed'",
		describe(e.Chart), e.Found, e.Locked)
}

// describe names a chart in messages.
func describe(c blueprint.Chart) string {
	text := "chart " + c.Name
	if c.Version != "" {
		text += " " + c.Version
	}
	if c.Repository != "" {
		text += " of " + c.Repository
	}
	return text
}

// isLocal reports whether a chart is a directory or an archive beside the blueprint.
func isLocal(c blueprint.Chart) bool { return schema.SourceOf(c.Name) == schema.ChartInFiles }

// Load returns the chart with that digest. A new value at every call: Helm's actions change charts.
func (c *Charts) Load(ctx context.Context, ref blueprint.Chart, digest string) (*chart.Chart, error) {
	files, found, err := c.files(ctx, ref, digest)
	switch {
	case err != nil:
		return nil, err
	case found != digest:
		return nil, &DigestError{Chart: ref, Locked: digest, Found: found}
	}
	return assemble(ref, files)
}

// files returns the files of a chart and their digest.
func (c *Charts) files(ctx context.Context, ref blueprint.Chart, digest string) ([]*archive.BufferedFile, string, error) {
	if isLocal(ref) {
		return readLocal(ref)
	}
	text, err := c.archive(ctx, ref, digest)
	if err != nil {
		return nil, "", err
	}
	files, err := unpack(ref, text)
	return files, digestOf(text), err
}

// archive returns the archive of a remote chart, from the cache if it is there.
func (c *Charts) archive(ctx context.Context, ref blueprint.Chart, digest string) ([]byte, error) {
	if text, ok := c.cached(digest); ok {
		return text, nil
	}
	v, err, _ := c.flight.Do(digest, func() (any, error) {
		text, err := c.download(ctx, ref)
		if err != nil {
			return nil, err
		}
		if found := digestOf(text); found != digest {
			return nil, &DigestError{Chart: ref, Locked: digest, Found: found}
		}
		return text, c.keep(text)
	})
	if err != nil {
		return nil, err
	}
	return v.([]byte), nil
}

// download gets the archive of a remote chart from where it comes from.
func (c *Charts) download(ctx context.Context, ref blueprint.Chart) ([]byte, error) {
	get := c.fromRepository
	if schema.SourceOf(ref.Name) == schema.ChartInRegistry {
		get = c.fromRegistry
	}
	text, err := get(ctx, ref)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s: %w", describe(ref), err)
	}
	return text, nil
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func unpack(ref blueprint.Chart, text []byte) ([]*archive.BufferedFile, error) {
	files, err := archive.LoadArchiveFiles(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: it is no archive of a chart: %w", describe(ref), err)
	}
	return files, nil
}

// assemble makes a chart of its files, and refuses one that could not be installed.
func assemble(ref blueprint.Chart, files []*archive.BufferedFile) (*chart.Chart, error) {
	ch, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", describe(ref), err)
	}
	if err := ch.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", describe(ref), err)
	}
	name := ch.Metadata.Name
	switch {
	case ch.Metadata.APIVersion != chart.APIVersionV1 && ch.Metadata.APIVersion != chart.APIVersionV2:
		return nil, fmt.Errorf("%s: apiVersion %q in its Chart.yaml is not known: want v1 or v2", describe(ref), ch.Metadata.APIVersion)
	case ch.Metadata.Type == "library":
		return nil, fmt.Errorf("%s: it is a library for other charts and cannot be installed", describe(ref))
	case schema.SourceOf(ref.Name) == schema.ChartInRepository && !strings.EqualFold(name, ref.Name): // a registry's path is the author's choice
		return nil, fmt.Errorf("%s: the archive there is of the chart %s", describe(ref), name)
	case !isLocal(ref) && !schema.SameChartVersion(ch.Metadata.Version, ref.Version):
		return nil, fmt.Errorf("%s: the archive there is of version %s", describe(ref), ch.Metadata.Version)
	}
	if missing := missingDependencies(ch); len(missing) > 0 {
		return nil, fmt.Errorf("%s: the charts that it needs are not in its directory charts: %s\nrun 'helm dependency build' in it", describe(ref), strings.Join(missing, ", "))
	}
	return ch, nil
}

func missingDependencies(ch *chart.Chart) []string {
	there := map[string]bool{}
	for _, d := range ch.Dependencies() {
		there[d.Name()] = true
	}
	var missing []string
	for _, d := range ch.Metadata.Dependencies {
		if !there[d.Name] {
			missing = append(missing, d.Name)
		}
	}
	return missing
}

// readAll reads what a server sends, up to a limit.
func readAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxArchive+1))
	if err == nil && len(text) > maxArchive {
		return nil, fmt.Errorf("what the server sends is larger than %d MiB", maxArchive>>20)
	}
	return text, err
}
