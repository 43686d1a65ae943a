package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// kubeconfig is where RKE2 writes the administrator's (domain.md §2.6).
const kubeconfig = "/etc/rancher/rke2/rke2.yaml"

// apiError is a call to the API server that failed: it may be starting.
type apiError struct{ err error }

func (e *apiError) Error() string { return "kubernetes API: " + e.err.Error() }
func (e *apiError) Unwrap() error { return e.err }

// passing reports whether an error is one that a wait goes on after.
func passing(err error) bool {
	var api *apiError
	return errors.As(err, &api)
}

// restConfig is made of the kubeconfig as it is on the server now; its address is dialled from there, as cxha does it.
func (w *World) restConfig(ctx context.Context) (*rest.Config, error) {
	text, err := w.server.sh(ctx, "cat "+kubeconfig)
	if err != nil {
		return nil, &apiError{err}
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
	if err != nil {
		return nil, &apiError{fmt.Errorf("%s is no kubeconfig", kubeconfig)} // the parser's words may quote the file
	}
	config.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return w.server.conn.Dial(ctx, network, addr)
	}
	config.QPS = -1
	config.WarningHandlerWithContext = rest.NoWarnings{}
	return config, nil
}

// call runs fn with a client of the cluster.
func (w *World) call(ctx context.Context, fn func(*kubernetes.Clientset) error) error {
	config, err := w.restConfig(ctx)
	if err != nil {
		return err
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return &apiError{err}
	}
	defer httpClient.CloseIdleConnections()
	client, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return &apiError{err}
	}
	if err := fn(client); err != nil {
		return &apiError{err}
	}
	return nil
}

// node returns a node; nil: there is none.
func (w *World) node(ctx context.Context, name string) (n *corev1.Node, err error) {
	err = w.call(ctx, func(c *kubernetes.Clientset) (err error) {
		n, err = c.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return n, err
}

// awaitReady waits until a node is there and Ready.
func (w *World) awaitReady(ctx context.Context, name string) error {
	return w.await(ctx, "node "+name+" is Ready", startLimit, func(ctx context.Context) (string, error) {
		n, err := w.node(ctx, name)
		if err != nil || n == nil {
			return "it is not registered", err
		}
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return "", nil
			} else if c.Type == corev1.NodeReady {
				return c.Reason + ": " + c.Message, nil
			}
		}
		return "it has no condition yet", nil
	})
}

// forget deletes a node and, as cxha does, the secret with the hash of its host's password.
func (w *World) forget(ctx context.Context, name string) error {
	return w.call(ctx, func(c *kubernetes.Clientset) error {
		if err := c.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		err := c.CoreV1().Secrets("kube-system").Delete(ctx, passwordSecret(name), metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

func passwordSecret(node string) string { return node + ".node-password.rke2" }

// registered is the Node of that name; that there is none is a difference.
func (w *World) registered(ctx context.Context, name string) (*corev1.Node, error) {
	n, err := w.node(ctx, name)
	if err == nil && n == nil {
		err = differs("the node "+name, "none")
	}
	return n, err
}
