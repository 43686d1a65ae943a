package helm

import (
	"context"
	"fmt"
	"log/slog"

	helmrelease "helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// place names a release in a cluster.
type place struct{ namespace, name string }

func (p place) String() string { return p.namespace + "/" + p.name }

// records are the releases of a cluster: the newest revision of each.
type records struct {
	newest     map[place]*release.Release
	unreadable map[place]bool
}

// listRecords reads the releases of all namespaces by one call. Revisions that a newer one has taken the place of are not asked for.
func listRecords(ctx context.Context, config *rest.Config) (*records, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	lister := &recordLister{SecretInterface: client.CoreV1().Secrets(metav1.NamespaceAll), ctx: ctx, seen: map[revision]bool{}}
	store := driver.NewSecrets(lister)
	store.SetLogger(slog.DiscardHandler)
	list, err := store.List(func(helmrelease.Releaser) bool { return true })
	if err != nil {
		return nil, err
	}
	found := &records{newest: map[place]*release.Release{}, unreadable: map[place]bool{}}
	for _, r := range list {
		rel, ok := r.(*release.Release)
		if !ok {
			return nil, fmt.Errorf("a release is of the type %T, which this version does not know", r)
		}
		at := place{rel.Namespace, rel.Name}
		delete(lister.seen, revision{at, rel.Labels["version"]})
		if was := found.newest[at]; was == nil || was.Version < rel.Version {
			found.newest[at] = rel
		}
	}
	for left := range lister.seen {
		found.unreadable[left.place] = true
	}
	for at, rel := range found.newest {
		if rel.Info == nil || rel.Info.Status == common.StatusUninstalled { // uninstalled, with its history kept
			delete(found.newest, at)
		}
	}
	return found, nil
}

type revision struct {
	place
	version string
}

// recordLister is a client for Helm's storage that lists under a context and remembers what it saw, because Helm drops what it
// cannot decode.
type recordLister struct {
	typedcorev1.SecretInterface
	ctx  context.Context
	seen map[revision]bool
}

func (l *recordLister) List(_ context.Context, o metav1.ListOptions) (*corev1.SecretList, error) {
	o.LabelSelector += ",status!=" + common.StatusSuperseded.String()
	o.FieldSelector = "type=helm.sh/release.v1"
	list, err := l.SecretInterface.List(l.ctx, o)
	if err != nil {
		return nil, err
	}
	for _, s := range list.Items {
		l.seen[revision{place{s.Namespace, s.Labels["name"]}, s.Labels["version"]}] = true
	}
	return list, nil
}
