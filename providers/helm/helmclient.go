package helm

import (
	"errors"
	"io"
	"slices"
	"strings"

	helmkube "helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/schema"
)

// client is Helm's client, with what cxha decides otherwise: nulls are absent, a stored manifest is read as far as it goes, data stays,
// waits tell what they wait for, and no error holds a secret.
type client struct {
	*helmkube.Client
	call    *call
	cluster kubernetes.Interface
}

var _ helmkube.InterfaceWaitOptions = (*client)(nil)

// Build returns the objects of a manifest. What is stored, which Helm does not want validated, is read as far as it goes: a kind that is gone
// has no objects, and what is no object was never made.
func (c *client) Build(reader io.Reader, validate bool) (helmkube.ResourceList, error) {
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	list, err := c.Client.Build(strings.NewReader(string(text)), validate)
	if err != nil && !validate && !passing(err) {
		list, err = c.buildEach(string(text))
	}
	for _, info := range list {
		strip(info.Object)
	}
	return list, c.hide(err)
}

func (c *client) buildEach(text string) (helmkube.ResourceList, error) {
	objects, _ := readManifest(text, "") // what is no object was never made
	var all helmkube.ResourceList
	for _, o := range objects {
		list, err := c.Client.Build(strings.NewReader(o.text), false)
		if err != nil && !passing(err) && !meta.IsNoMatchError(err) {
			list, err = c.Client.Build(strings.NewReader(o.identity()), false) // which one it is is all that Helm needs of it
		}
		switch {
		case meta.IsNoMatchError(err): // its kind is gone, and the object with it
		case err != nil:
			return nil, err
		default:
			all = append(all, list.Difference(all)...)
		}
	}
	return all, nil
}

// Create makes objects in the way of the release; Helm itself removes hooks by the server's only.
func (c *client) Create(list helmkube.ResourceList, o ...helmkube.ClientCreateOption) (*helmkube.Result, error) {
	server := c.call.method != schema.ApplyClient
	r, err := c.Client.Create(list, append(slices.Clone(o), helmkube.ClientCreateOptionServerSideApply(server, server))...)
	return r, c.hide(err)
}

// Update brings the objects of a release to what the new manifest says, and leaves data in place that it no longer has.
func (c *client) Update(before, after helmkube.ResourceList, o ...helmkube.ClientUpdateOption) (*helmkube.Result, error) {
	if c.call.takeOver && c.call.method == schema.ApplyServer {
		if err := takeOver(after); err != nil {
			return &helmkube.Result{}, c.hide(err)
		}
	}
	method := c.call.method
	if method == "" {
		method = schema.ApplyServer
	}
	kept := before.Filter(func(info *resource.Info) bool {
		return after.Contains(info) || !stays(info.Mapping.GroupVersionKind.GroupKind())
	})
	r, err := c.Client.Update(kept, after, append(slices.Clone(o), applyOptions(method)...)...)
	return r, c.hide(err)
}

// Delete removes objects, but no data: that of hooks excepted, which come and go.
func (c *client) Delete(list helmkube.ResourceList, policy metav1.DeletionPropagation) (*helmkube.Result, []error) {
	list = withoutData(list)
	if len(list) == 0 { // which Helm's client calls an error
		return &helmkube.Result{}, nil
	}
	r, errs := c.Client.Delete(list, policy)
	for i, err := range errs {
		errs[i] = c.hide(err)
	}
	c.call.deletion = errors.Join(errs...)
	return r, errs
}

// hide takes secrets out of what an error says. What kind of error it is stays.
func (c *client) hide(err error) error { return c.call.masks.error(err) }

// withoutData are the objects without those that stay, hooks excepted.
func withoutData(list helmkube.ResourceList) helmkube.ResourceList {
	return list.Filter(func(info *resource.Info) bool {
		object, err := meta.Accessor(info.Object)
		isHook := err == nil && object.GetAnnotations()["helm.sh/hook"] != ""
		return isHook || !stays(info.Mapping.GroupVersionKind.GroupKind())
	})
}

// strip takes nulls out of an object.
func strip(o runtime.Object) {
	if u, ok := o.(*unstructured.Unstructured); ok {
		dropNulls(u.Object)
	}
}
