package helm

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// place names a release in a cluster.
type place struct{ namespace, name string }

func (p place) String() string { return p.namespace + "/" + p.name }

// records are the releases of a cluster: of each the newest revision, and that which is deployed. Their charts have metadata only.
type records struct {
	newest     map[place]*release.Release
	deployed   map[place]*release.Release
	ended      map[place]*release.Release // uninstalled, with its history kept
	unreadable map[place]bool
}

// listRecords reads the releases of all namespaces by one call. Revisions that a newer one has taken the place of are not asked for.
func listRecords(ctx context.Context, config *rest.Config) (*records, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	list, err := client.CoreV1().Secrets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		LabelSelector: "owner=helm,status!=" + common.StatusSuperseded.String(), FieldSelector: "type=helm.sh/release.v1",
	})
	if err != nil {
		return nil, err
	}
	found := &records{newest: map[place]*release.Release{}, deployed: map[place]*release.Release{}, ended: map[place]*release.Release{}, unreadable: map[place]bool{}}
	var mu sync.Mutex // guards found
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range list.Items {
		g.Go(func() error {
			rel, err := decodeRecord(s.Data["release"])
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				found.unreadable[place{s.Namespace, s.Labels["name"]}] = true
				return nil
			}
			rel.Labels = s.Labels
			found.add(rel)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for at, rel := range found.newest {
		if rel.Info.Status == common.StatusUninstalled {
			delete(found.newest, at)
			found.ended[at] = rel
		}
	}
	return found, nil
}

func (r *records) add(rel *release.Release) {
	at := place{rel.Namespace, rel.Name}
	if was := r.newest[at]; was == nil || was.Version < rel.Version {
		r.newest[at] = rel
	}
	if was := r.deployed[at]; rel.Info.Status == common.StatusDeployed && (was == nil || was.Version < rel.Version) {
		r.deployed[at] = rel
	}
}

// record is what is of use of a release's record, which Helm's storage writes as JSON, compressed, in base64
// (helm.sh/helm/v4/pkg/storage/driver, util.go). The chart's files are the most of it, and nobody here needs them.
type record struct {
	Name      string        `json:"name"`
	Namespace string        `json:"namespace"`
	Info      *release.Info `json:"info"`
	Chart     struct {
		Metadata *chart.Metadata `json:"metadata"`
	} `json:"chart"`
	Config      map[string]any `json:"config"`
	Manifest    string         `json:"manifest"`
	Version     int            `json:"version"`
	ApplyMethod string         `json:"apply_method"`
}

// maxRecord bounds what a record may be when it is unpacked: far above what a Secret of one MiB holds.
const maxRecord = 256 << 20

// decodeRecord reads a release's record. Numbers in its values are json.Number, which is exact.
func decodeRecord(data []byte) (*release.Release, error) {
	text := make([]byte, base64.StdEncoding.DecodedLen(len(data)))
	n, err := base64.StdEncoding.Decode(text, data)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	var from io.Reader = bytes.NewReader(text[:n])
	if bytes.HasPrefix(text, []byte{0x1f, 0x8b, 0x08}) { // very old ones are not compressed
		if from, err = gzip.NewReader(from); err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
	}
	dec := json.NewDecoder(io.LimitReader(from, maxRecord))
	dec.UseNumber()
	var r record
	if err := dec.Decode(&r); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if r.Info == nil || r.Name == "" {
		return nil, errors.New("record: it names no release or has no status")
	}
	return &release.Release{
		Name: r.Name, Namespace: r.Namespace, Info: r.Info, Chart: &chart.Chart{Metadata: r.Chart.Metadata},
		Config: r.Config, Manifest: r.Manifest, Version: r.Version, ApplyMethod: r.ApplyMethod,
	}, nil
}

// recordsOf lists the Secrets of a release's revisions.
func recordsOf(ctx context.Context, client kubernetes.Interface, at place) ([]corev1.Secret, error) {
	list, err := client.CoreV1().Secrets(at.namespace).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm,name=" + at.name})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
