package rke2

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// controllerUser is the user of those parts of a node that are not kubelet.
const controllerUser = "system:rke2-controller"

// registerRetry is the time between two looks for the server's own node.
const registerRetry = 200 * time.Millisecond

// startOwnNode makes the server's host a node of its own cluster, with the roles that RKE2 gives to servers.
func (s *server) startOwnNode(ctx context.Context) (Node, error) {
	access, err := s.ownAccess()
	if err != nil {
		return nil, err
	}
	password, err := s.ensureNodePassword()
	if err != nil {
		return nil, err
	}
	if err := verifyNodePassword(ctx, s.client, s.nodeName, password); err != nil {
		// Not fatal for the server's own node (domain.md §2.13).
		s.log.Warnf("%s: %v", s.nodeName, err)
	}
	node, err := s.startNode(ctx, settings.Server, s.cluster, access)
	if err != nil {
		return nil, err
	}
	if err := s.giveRoles(ctx, node); err != nil {
		return nil, errors.Join(err, node.Stop(ctx))
	}
	return node, nil
}

// ownAccess issues everything that an agent has to ask a supervisor for.
func (s *server) ownAccess() (NodeAccess, error) {
	pki := s.plane.PKI
	access := NodeAccess{APIServer: s.plane.Address(), ServerCA: pki.ServerCA.CertPEM, ClientCA: pki.ClientCA.CertPEM}
	for _, identity := range []struct {
		pair      *KeyPair
		authority *controlplane.Authority
		leaf      controlplane.Leaf
	}{
		{&access.Kubelet, pki.ClientCA, kubeletLeaf(s.nodeName)},
		{&access.Serving, pki.ServerCA, servingLeaf(s.nodeName, s.nodeIP)},
		{&access.Proxy, pki.ClientCA, controlplane.Leaf{CommonName: proxyUser}},
		{&access.Controller, pki.ClientCA, controlplane.Leaf{CommonName: controllerUser}},
	} {
		var err error
		if identity.pair.CertPEM, identity.pair.KeyPEM, err = identity.authority.Issue(identity.leaf); err != nil {
			return access, err
		}
	}
	return access, nil
}

// giveRoles labels the server's node as soon as it is registered.
func (s *server) giveRoles(ctx context.Context, node Node) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{
		"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/etcd": "true",
	}}})
	if err != nil {
		return err
	}
	ticker := time.NewTicker(registerRetry)
	defer ticker.Stop()
	for {
		_, err = s.client.CoreV1().Nodes().Patch(ctx, s.nodeName, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		if !apierrors.IsNotFound(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-node.Done():
			return node.Err()
		case <-ticker.C:
		}
	}
}

// dropPasswords removes the password secret of every node that is deleted, until the context ends.
func (s *server) dropPasswords(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(s.client, 0)
	informer := factory.Core().V1().Nodes().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: func(object any) {
		if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = unknown.Obj
		}
		node, ok := object.(*corev1.Node)
		if !ok {
			return
		}
		err := s.client.CoreV1().Secrets(systemNamespace).Delete(ctx, passwordSecretName(node.Name), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			s.log.Errorf("node password of %s: %v", strings.ToLower(node.Name), err)
		}
	}})
	if err != nil {
		return err
	}
	informer.Run(ctx.Done())
	return nil
}
