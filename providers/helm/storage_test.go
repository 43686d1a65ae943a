package helm_test

import (
	"log/slog"

	"helm.sh/helm/v4/pkg/release/common"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"

	"github.com/expertflow/cxha/schema/blueprint"
)

// store is Helm's storage of a namespace, as other tools see it.
func (w *world) store(namespace string) *storage.Storage {
	d := driver.NewSecrets(w.api.client.CoreV1().Secrets(namespace))
	d.SetLogger(slog.DiscardHandler)
	return storage.Init(d)
}

// decode returns the newest record of a release.
func (w *world) decode(r blueprint.Release) *helmrelease.Release {
	w.t.Helper()
	last, err := w.store(r.Namespace).Last(r.Name)
	must(w.t, err)
	return last.(*helmrelease.Release)
}

// encode writes a record back.
func (w *world) encode(rel *helmrelease.Release) {
	w.t.Helper()
	must(w.t, w.store(rel.Namespace).Update(rel))
}

func statusOf(s string) common.Status { return common.Status(s) }
