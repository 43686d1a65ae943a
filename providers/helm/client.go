package helm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
)

// access is how Helm reaches a cluster.
type access struct {
	config    *rest.Config
	namespace string
	discovery func() (discovery.CachedDiscoveryInterface, error)
	mapper    func() (meta.RESTMapper, error)
}

func newAccess(config *rest.Config, namespace string) *access {
	a := &access{config: config, namespace: namespace}
	a.discovery = sync.OnceValues(func() (discovery.CachedDiscoveryInterface, error) {
		client, err := discovery.NewDiscoveryClientForConfig(config)
		if err != nil {
			return nil, err
		}
		return memory.NewMemCacheClient(client), nil
	})
	a.mapper = sync.OnceValues(func() (meta.RESTMapper, error) {
		client, err := a.discovery()
		if err != nil {
			return nil, err
		}
		return restmapper.NewDeferredDiscoveryRESTMapper(client), nil
	})
	return a
}

// ToRESTConfig returns a copy of the configuration.
func (a *access) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(a.config), nil }

// ToDiscoveryClient returns the one client that knows the kinds of the cluster.
func (a *access) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return a.discovery()
}

// ToRESTMapper returns the one mapper of kinds to addresses.
func (a *access) ToRESTMapper() (meta.RESTMapper, error) { return a.mapper() }

// ToRawKubeConfigLoader is asked for the namespace only.
func (a *access) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: a.namespace}})
}

// call is the change of one release.
type call struct {
	*Provider
	ctx     context.Context // of the change: the waits end with it
	session providers.Session
	addr    schema.Addr
	place   place
	timeout time.Duration
	masks   masks // of the release

	method   string // how the objects are sent; empty: by the server
	takeOver bool   // the release was made by another tool, or another version, whose fields are taken over
	deletion error  // of the last deletion of objects: Helm tells only that there was one
}

func (c *call) progress(format string, args ...any) {
	c.session.Progress(c.addr, c.masks.text(fmt.Sprintf(format, args...)))
}

// open returns Helm's configuration for the release's namespace. A new one sees kinds that were defined since.
func (c *call) open() (*action.Configuration, error) {
	config, err := c.cluster.RESTConfig(c.ctx, c.session)
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.WarningHandler, config.WarningHandlerWithContext = nil, rest.NoWarnings{}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	if _, err := clients.Discovery().ServerVersion(); err != nil {
		return nil, err
	}
	helm := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	if err := helm.Init(newAccess(config, c.place.namespace), c.place.namespace, "secret"); err != nil {
		return nil, err
	}
	inner, ok := helm.KubeClient.(*helmkube.Client)
	if !ok {
		return nil, fmt.Errorf("helm's client is a %T, which this version does not know", helm.KubeClient)
	}
	inner.Namespace = c.place.namespace
	helm.Releases.MaxHistory = history
	helm.KubeClient = &client{Client: inner, call: c, cluster: clients}
	return helm, nil
}

// waitOptions bind Helm's waits to the change.
func (c *call) waitOptions() []helmkube.WaitOption {
	return []helmkube.WaitOption{helmkube.WithWaitContext(c.ctx)}
}

// retry runs fn until it succeeds or fails for a reason that time does not mend, such as an API server that restarts or a webhook
// that does not answer yet.
func (c *call) retry(fn func() error) error {
	said := ""
	for {
		err := fn()
		if err == nil || c.ctx.Err() != nil {
			return c.ended(err)
		}
		if !passing(err) {
			return err
		}
		text := kube.Brief(err)
		if at := strings.Index(text, webhookDown); at >= 0 { // whatever Helm was about
			text = text[at:]
		}
		if text != said {
			c.progress("trying again: %s", text)
			said = text
		}
		t := time.NewTimer(c.options.RetryEvery)
		select {
		case <-c.ctx.Done():
			t.Stop()
			return c.ended(err)
		case <-t.C:
		}
	}
}

// ended adds to an error that the change was stopped, or its time is over.
func (c *call) ended(err error) error {
	cause := context.Cause(c.ctx)
	var notReady *notReadyError
	if err == nil || cause == nil || errors.Is(err, cause) || errors.As(err, &notReady) {
		return err
	}
	return fmt.Errorf("%w: %s", cause, kube.Brief(err))
}
