package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// traefikService is the Service of RKE2's own Traefik, which is RKE2's to make: no release and no manifest of cxha's has it.
const traefikService = "rke2-traefik"

// ingressNotes tells of a Traefik without its Service: RKE2 makes it when it installs the chart, and not again when it is deleted.
func ingressNotes(ctx context.Context, client *kubernetes.Clientset, bp *blueprint.Blueprint) ([]string, error) {
	var notes []string
	for _, i := range bp.Ingresses {
		if i.Kind != schema.TraefikIngress {
			continue
		}
		_, err := client.CoreV1().Services(systemNamespace).Get(ctx, traefikService, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			notes = append(notes, fmt.Sprintf("%s: the Service %s/%s is not there, so nothing answers at the ingress's address. RKE2 makes it when it installs its chart; "+
				"if that was long ago, somebody deleted it: any change of the ingress's values makes RKE2 install the chart anew, which brings it back", i.Addr, systemNamespace, traefikService))
		case err != nil:
			return nil, err
		}
	}
	return notes, nil
}
