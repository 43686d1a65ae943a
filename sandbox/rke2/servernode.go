package rke2

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/expertflow/cxha/sandbox/rke2/settings"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

// startNode makes the server's host a node of its own cluster, with the roles that RKE2 gives to servers.
func (s *server) startNode(ctx context.Context) (*controlplane.Component, error) {
	access := nodeAccess{
		caPEM: s.plane.PKI.ServerCA.CertPEM, apiServer: s.plane.Address(), podCIDR: netip.MustParsePrefix(s.cluster.ClusterCIDR),
	}
	kubelet := controlplane.Leaf{CommonName: "system:node:" + s.nodeName, Organizations: []string{"system:nodes"}}
	var err error
	if access.kubelet.certPEM, access.kubelet.keyPEM, err = s.plane.PKI.ClientCA.Issue(kubelet); err != nil {
		return nil, err
	}
	controller := controlplane.Leaf{CommonName: controllerUser}
	if access.controller.certPEM, access.controller.keyPEM, err = s.plane.PKI.ClientCA.Issue(controller); err != nil {
		return nil, err
	}
	password, err := s.ensureNodePassword()
	if err != nil {
		return nil, err
	}
	if err := verifyNodePassword(ctx, s.client, s.nodeName, password); err != nil {
		// Not fatal for the server's own node (domain.md §2.13).
		s.log.warnf("%s: %v", s.nodeName, err)
	}
	node, err := s.startKubelet(ctx, access, settings.Server)
	if err != nil {
		return nil, err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{
		"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/etcd": "true",
	}}})
	if err != nil {
		return nil, err
	}
	_, err = s.client.CoreV1().Nodes().Patch(ctx, s.nodeName, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		node.Kill()
		return nil, err
	}
	return node, nil
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
			s.log.errorf("node password of %s: %v", strings.ToLower(node.Name), err)
		}
	}})
	if err != nil {
		return err
	}
	informer.Run(ctx.Done())
	return nil
}
