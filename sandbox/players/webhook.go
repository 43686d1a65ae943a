package players

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Names of MetalLB's own (domain.md §4.1).
const (
	hookConfiguration = "metallb-webhook-configuration"
	hookService       = "metallb-webhook-service"
	hookSecret        = "metallb-webhook-cert"
	hookPort          = 9443
)

// webhook is MetalLB's validating webhook: a real HTTPS server that the API server calls.
type webhook struct {
	pod      types.UID
	caPEM    []byte
	server   *http.Server
	withdraw func()
	serving  sync.WaitGroup
}

// serveHook makes the webhook listen some time after the controller's pod has become ready, and keeps its CA in the
// configuration.
func (m *metalLB) serveHook(ctx context.Context, pod *corev1.Pod) (again time.Duration, err error) {
	if m.hook != nil && m.hook.pod != pod.UID {
		if err := m.closeHook(); err != nil {
			return 0, err
		}
	}
	if m.hook == nil {
		if wait := m.untilHook(pod); wait > 0 {
			return wait, nil
		}
		if err := m.openHook(ctx, pod); err != nil {
			return 0, fmt.Errorf("webhook: %w", err)
		}
	}
	return 0, m.fillBundle(ctx, pod.Namespace)
}

// untilHook is how long the pod goes on without its webhook. A pod that was ready long before it is seen has it already.
func (m *metalLB) untilHook(pod *corev1.Pod) time.Duration {
	now := time.Now()
	if now.Sub(readySince(pod)) > m.WebhookDelay+2*time.Second {
		return 0
	}
	first, ok := m.seen[string(pod.UID)]
	if !ok {
		first = now
		m.seen[string(pod.UID)] = now
	}
	return first.Add(m.WebhookDelay).Sub(now)
}

func (m *metalLB) openHook(ctx context.Context, pod *corev1.Pod) error {
	address, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil {
		return fmt.Errorf("pod %s: %w", pod.Name, err)
	}
	identity, err := m.hookIdentity(ctx, pod.Namespace)
	if err != nil {
		return err
	}
	certificate, err := tls.X509KeyPair(identity.certPEM, identity.keyPEM)
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return err
	}
	hook := &webhook{pod: pod.UID, caPEM: identity.caPEM, server: &http.Server{
		Handler: m.hookHandler(pod.Namespace), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx },
	}}
	hook.withdraw = m.Pods.expose(netip.AddrPortFrom(address, hookPort), listener.Addr().String())
	hook.serving.Go(func() {
		if err := hook.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			m.Errorf("MetalLB: webhook: %v", err)
		}
	})
	m.hook = hook
	return nil
}

func (m *metalLB) closeHook() error {
	if m.hook == nil {
		return nil
	}
	m.hook.withdraw()
	err := m.hook.server.Close()
	m.hook.serving.Wait()
	m.hook = nil
	return err
}

// hookIdentity is the webhook's CA and certificate from the Secret, which is filled when there is nothing usable in it.
func (m *metalLB) hookIdentity(ctx context.Context, namespace string) (identity, error) {
	name := hookService + "." + namespace + ".svc"
	secrets := m.client.CoreV1().Secrets(namespace)
	secret, err := secrets.Get(ctx, hookSecret, metav1.GetOptions{})
	switch {
	case err == nil:
		have := identity{secret.Data["ca.crt"], secret.Data["tls.crt"], secret.Data["tls.key"]}
		if have.isGood(name, time.Now()) {
			return have, nil
		}
	case !apierrors.IsNotFound(err):
		return identity{}, err
	}
	made, err := newIdentity(name, time.Now())
	if err != nil {
		return identity{}, err
	}
	data := map[string][]byte{"ca.crt": made.caPEM, "tls.crt": made.certPEM, "tls.key": made.keyPEM}
	if secret == nil || secret.Name == "" {
		_, err = secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: hookSecret}, Data: data}, metav1.CreateOptions{FieldManager: "metallb-controller"})
		return made, err
	}
	patch, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		return identity{}, err
	}
	_, err = secrets.Patch(ctx, hookSecret, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "metallb-controller"})
	return made, err
}

// fillBundle writes the CA into the webhook configuration: the only thing of the chart's objects that is changed.
func (m *metalLB) fillBundle(ctx context.Context, namespace string) error {
	cached, err := m.hooks.Get(hookConfiguration)
	if apierrors.IsNotFound(err) {
		return nil // comes later, or never
	}
	if err != nil {
		return err
	}
	configuration := cached.DeepCopy()
	changed := false
	for n := range configuration.Webhooks {
		client := &configuration.Webhooks[n].ClientConfig
		if client.Service != nil && client.Service.Namespace == namespace && !bytes.Equal(client.CABundle, m.hook.caPEM) {
			client.CABundle, changed = m.hook.caPEM, true
		}
	}
	if !changed {
		return nil
	}
	_, err = m.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().
		Update(ctx, configuration, metav1.UpdateOptions{FieldManager: "metallb-controller"})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // the next look sees the newer one
	}
	return err
}
