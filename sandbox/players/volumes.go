package players

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// Annotations of claims and volumes that Kubernetes' controllers and provisioners share.
const (
	selectedNode      = "volume.kubernetes.io/selected-node"
	storedProvisioner = "volume.kubernetes.io/storage-provisioner"
	provisionedBy     = "pv.kubernetes.io/provisioned-by"
)

// volumes plays the provisioners of volumes (domain.md §5).
type volumes struct{ *world }

func (v *volumes) name() string { return "volumes" }

func (v *volumes) stop() error { return nil }

// provisioner is a program that makes volumes.
type provisioner struct {
	pods labels.Set // of its controller
	make func(v *volumes, order order) (corev1.PersistentVolumeSource, *corev1.VolumeNodeAffinity, error)
}

// order is a claim that is to get a volume.
type order struct {
	claim  *corev1.PersistentVolumeClaim
	class  *storagev1.StorageClass
	volume string
	node   *corev1.Node // for WaitForFirstConsumer; else nil
}

func provisioners() map[string]provisioner {
	return map[string]provisioner{
		"nfs.csi.k8s.io": {labels.Set{"app": "csi-nfs-controller"}, (*volumes).nfs},
		"rancher.io/local-path": {labels.Set{"app.kubernetes.io/name": "local-path-provisioner"},
			func(_ *volumes, o order) (corev1.PersistentVolumeSource, *corev1.VolumeNodeAffinity, error) {
				return onNode(o, fmt.Sprintf("/opt/local-path-provisioner/%s_%s_%s", o.volume, o.claim.Namespace, o.claim.Name), true)
			}},
		"openebs.io/local": {labels.Set{"openebs.io/component-name": "openebs-localpv-provisioner"},
			func(_ *volumes, o order) (corev1.PersistentVolumeSource, *corev1.VolumeNodeAffinity, error) {
				return onNode(o, "/var/openebs/local/"+o.volume, false)
			}},
	}
}

func (v *volumes) play(ctx context.Context) (time.Duration, error) {
	var errs []error
	for driver, p := range provisioners() {
		if len(v.alive(labels.SelectorFromSet(p.pods))) == 0 {
			continue
		}
		claims, err := v.claims.List(labels.Everything())
		errs = append(errs, err)
		for _, claim := range claims {
			errs = append(errs, v.provision(ctx, driver, p, claim))
		}
		all, err := v.volumes.List(labels.Everything())
		errs = append(errs, err)
		for _, volume := range all {
			errs = append(errs, v.reclaim(ctx, driver, volume))
		}
	}
	return 0, errors.Join(errs...)
}

// provision makes the volume of a claim that waits for one of this driver. The controller manager then binds them.
func (v *volumes) provision(ctx context.Context, driver string, p provisioner, claim *corev1.PersistentVolumeClaim) error {
	if claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil || claim.Annotations[storedProvisioner] != driver || value(claim.Spec.StorageClassName) == "" {
		return nil
	}
	o := order{claim: claim, volume: "pvc-" + string(claim.UID)}
	var err error
	if o.class, err = v.classes.Get(*claim.Spec.StorageClassName); err != nil {
		return ignoreNotFound(err)
	}
	if mode := o.class.VolumeBindingMode; mode != nil && *mode == storagev1.VolumeBindingWaitForFirstConsumer {
		if claim.Annotations[selectedNode] == "" {
			return nil // the scheduler chooses
		}
		if o.node, err = v.nodes.Get(claim.Annotations[selectedNode]); err != nil {
			return ignoreNotFound(err)
		}
	}
	if _, err := v.volumes.Get(o.volume); err == nil || !apierrors.IsNotFound(err) {
		return err // made already
	}
	source, affinity, err := p.make(v, o)
	if err != nil {
		return v.event(ctx, claim, "PersistentVolumeClaim", driver, corev1.EventTypeWarning, "ProvisioningFailed",
			fmt.Sprintf("failed to provision volume with StorageClass %q: %v", o.class.Name, err))
	}
	policy := corev1.PersistentVolumeReclaimDelete
	if o.class.ReclaimPolicy != nil {
		policy = *o.class.ReclaimPolicy
	}
	_, err = v.client.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.volume, Annotations: map[string]string{provisionedBy: driver}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:    corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes: claim.Spec.AccessModes, PersistentVolumeReclaimPolicy: policy, StorageClassName: o.class.Name,
			MountOptions: o.class.MountOptions, VolumeMode: claim.Spec.VolumeMode, PersistentVolumeSource: source, NodeAffinity: affinity,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
		},
	}, metav1.CreateOptions{FieldManager: driver})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("volume for claim %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	return v.event(ctx, claim, "PersistentVolumeClaim", driver, corev1.EventTypeNormal, "ProvisioningSucceeded", "Successfully provisioned volume "+o.volume)
}

// reclaim deletes a volume whose claim is gone, when its class said so.
func (v *volumes) reclaim(ctx context.Context, driver string, volume *corev1.PersistentVolume) error {
	if volume.Annotations[provisionedBy] != driver || volume.Status.Phase != corev1.VolumeReleased || volume.DeletionTimestamp != nil ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	uid := volume.UID
	err := v.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: (*types.UID)(&uid)}})
	return ignoreNotFound(err)
}

// nfs is a directory of the export that the class names, as csi-driver-nfs makes it.
func (v *volumes) nfs(o order) (source corev1.PersistentVolumeSource, affinity *corev1.VolumeNodeAffinity, err error) {
	server, share := o.class.Parameters["server"], o.class.Parameters["share"]
	if server == "" {
		return source, nil, errors.New("rpc error: code = InvalidArgument desc = server is a required parameter")
	}
	if share == "" {
		return source, nil, errors.New("rpc error: code = InvalidArgument desc = share is a required parameter")
	}
	sub := cmp.Or(o.class.Parameters["subDir"], o.volume)
	sub = strings.NewReplacer(
		"${pvc.metadata.name}", o.claim.Name, "${pvc.metadata.namespace}", o.claim.Namespace, "${pv.metadata.name}", o.volume,
	).Replace(sub)
	if v.Provision != nil {
		if err := v.Provision(server, share, sub); err != nil {
			return source, nil, fmt.Errorf("rpc error: code = Internal desc = failed to mount nfs server: %w", err)
		}
	}
	source.CSI = &corev1.CSIPersistentVolumeSource{
		Driver: "nfs.csi.k8s.io", VolumeHandle: fmt.Sprintf("%s#%s#%s##%s", server, share, sub, o.class.Parameters["onDelete"]),
		VolumeAttributes: map[string]string{"server": server, "share": share, "subdir": sub},
	}
	return source, nil, nil
}

// onNode is a directory of the node that the scheduler chose: local storage, which pins the workload.
func onNode(o order, path string, hostPath bool) (source corev1.PersistentVolumeSource, affinity *corev1.VolumeNodeAffinity, err error) {
	if o.node == nil {
		return source, nil, errors.New("only VolumeBindingMode WaitForFirstConsumer is supported: no node was selected")
	}
	for _, mode := range o.claim.Spec.AccessModes {
		if mode != corev1.ReadWriteOnce && mode != corev1.ReadWriteOncePod {
			return source, nil, fmt.Errorf("NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes, not %s", mode)
		}
	}
	kind := corev1.HostPathDirectoryOrCreate
	if hostPath {
		source.HostPath = &corev1.HostPathVolumeSource{Path: path, Type: &kind}
	} else {
		source.Local = &corev1.LocalVolumeSource{Path: path}
	}
	return source, &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{
			Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{o.node.Labels[corev1.LabelHostname]},
		}},
	}}}}, nil
}
