package players

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	admissionlisters "k8s.io/client-go/listers/admissionregistration/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/expertflow/cxha/sandbox/network"
)

// Options are what the players of one cluster work with.
type Options struct {
	Config *rest.Config       // administrator's access to the API
	Net    *network.Interface // of the control plane's host: pods on hosts that it does not reach do nothing
	Pods   *PodNetwork        // where the API server finds what the players listen on
	// WebhookDelay is how long MetalLB's webhook is not there after its pod has become ready.
	WebhookDelay time.Duration
	// Provision makes a directory in an export of an NFS server; its error is mount's. Nil: every export is there.
	Provision func(server, path, sub string) error
	Errorf    func(format string, args ...any)
}

const (
	lookInterval = time.Second           // power cuts and cut lines are no events of the API
	quiet        = 20 * time.Millisecond // changes come in bursts
)

// player does what the pods of one program would do. It looks at everything each time, and says how soon it wants to look
// again; 0: no wish.
type player interface {
	name() string
	play(ctx context.Context) (again time.Duration, err error)
	stop() error
}

// world is what the players see of the cluster.
type world struct {
	Options
	client         kubernetes.Interface
	dynamic        dynamic.Interface
	pods           corelisters.PodLister
	services       corelisters.ServiceLister
	slices         discoverylisters.EndpointSliceLister
	nodes          corelisters.NodeLister
	claims         corelisters.PersistentVolumeClaimLister
	volumes        corelisters.PersistentVolumeLister
	classes        storagelisters.StorageClassLister
	hooks          admissionlisters.ValidatingWebhookConfigurationLister
	ingressList    networkinglisters.IngressLister
	ingressClasses networkinglisters.IngressClassLister
	changed        chan struct{}
	said           map[string]string // the last event about an object, so that it is not repeated
}

// Run plays until the context ends. Errors of the API are logged and tried again.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := newWorld(o)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(w.client, 0, informers.WithTransform(withoutManagedFields))
	if err := w.watch(factory); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	for _, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil // the context has ended
		}
	}
	o.Pods.resolveWith(w.targets)
	defer o.Pods.resolveWith(nil)
	kinds, err := w.newKinds(ctx)
	if err != nil {
		return err
	}
	defer kinds.stop()
	players := []player{newMetalLB(w, kinds), &volumes{world: w}, &ingresses{world: w}}
	err = w.loop(ctx, players)
	for _, p := range players {
		err = errors.Join(err, p.stop())
	}
	cancel()
	return err
}

func newWorld(o Options) (*world, error) {
	client, err := kubernetes.NewForConfig(o.Config)
	if err != nil {
		return nil, err
	}
	objects, err := dynamic.NewForConfig(o.Config)
	if err != nil {
		return nil, err
	}
	return &world{Options: o, client: client, dynamic: objects, changed: make(chan struct{}, 1), said: map[string]string{}}, nil
}

// withoutManagedFields saves the memory of what nobody reads.
func withoutManagedFields(object any) (any, error) {
	if o, ok := object.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return object, nil
}

func (w *world) watch(factory informers.SharedInformerFactory) error {
	core := factory.Core().V1()
	w.pods, w.services, w.nodes = core.Pods().Lister(), core.Services().Lister(), core.Nodes().Lister()
	w.claims, w.volumes = core.PersistentVolumeClaims().Lister(), core.PersistentVolumes().Lister()
	w.slices = factory.Discovery().V1().EndpointSlices().Lister()
	w.classes = factory.Storage().V1().StorageClasses().Lister()
	w.ingressList, w.ingressClasses = factory.Networking().V1().Ingresses().Lister(), factory.Networking().V1().IngressClasses().Lister()
	w.hooks = factory.Admissionregistration().V1().ValidatingWebhookConfigurations().Lister()
	for _, informer := range []cache.SharedIndexInformer{
		core.Pods().Informer(), core.Services().Informer(), core.PersistentVolumeClaims().Informer(),
		factory.Networking().V1().Ingresses().Informer(), factory.Networking().V1().IngressClasses().Informer(),
		core.PersistentVolumes().Informer(), factory.Discovery().V1().EndpointSlices().Informer(),
		factory.Storage().V1().StorageClasses().Informer(), factory.Admissionregistration().V1().ValidatingWebhookConfigurations().Informer(),
	} {
		if err := w.notifyOf(informer); err != nil {
			return err
		}
	}
	// Nodes change with every heartbeat; the regular look sees what matters of them.
	_, err := core.Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{})
	return err
}

func (w *world) notifyOf(informer cache.SharedIndexInformer) error {
	notify := func() {
		select {
		case w.changed <- struct{}{}:
		default: // a look is due anyway
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() }, DeleteFunc: func(any) { notify() },
	})
	return err
}

// loop lets the players look whenever something has changed, and regularly.
func (w *world) loop(ctx context.Context, players []player) error {
	failures := map[string]string{}
	for {
		wait := lookInterval
		for _, p := range players {
			again, err := p.play(ctx)
			if ctx.Err() != nil {
				return nil
			}
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != "" && failures[p.name()] != text {
				w.Errorf("%s: %s", p.name(), text)
			}
			failures[p.name()] = text
			if again > 0 {
				wait = min(wait, again)
			}
		}
		if !pause(ctx, quiet, nil) || !pause(ctx, wait, w.changed) {
			return nil
		}
	}
}

// pause waits, at most until something comes from the channel; it is false when the context has ended.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return true
}

// alive are the pods that run: selected, Ready, on a host that is reached, sorted by name.
func (w *world) alive(selector labels.Selector) []*corev1.Pod {
	list, err := w.pods.List(selector)
	if err != nil {
		return nil // a cache's lister has no errors
	}
	alive := slices.DeleteFunc(slices.Clone(list), func(p *corev1.Pod) bool {
		host, err := netip.ParseAddr(p.Status.HostIP)
		return err != nil || p.DeletionTimestamp != nil || readySince(p).IsZero() || !w.Net.Reaches(host)
	})
	slices.SortFunc(alive, func(a, b *corev1.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return alive
}

// readySince is when the pod became ready; zero when it is not.
func readySince(p *corev1.Pod) time.Time {
	for _, condition := range p.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// object is what events are about.
type object interface {
	metav1.Object
	runtime.Object
}

// event records an event about an object, unless it is the same as the last one about it.
func (w *world) event(ctx context.Context, about object, kind, from, eventType, reason, message string) error {
	key := from + " " + string(about.GetUID())
	if w.said[key] == reason+message {
		return nil
	}
	namespace := about.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	now := metav1.Now()
	_, err := w.client.CoreV1().Events(namespace).Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s.%x", about.GetName(), now.UnixNano())},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: kind, Namespace: about.GetNamespace(), Name: about.GetName(), UID: about.GetUID(),
		},
		Reason: reason, Message: message, Type: eventType, Source: corev1.EventSource{Component: from},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	w.said[key] = reason + message
	return nil
}
