package kube

import (
	"time"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/expertflow/cxha/schema"
)

// The package's pure functions on Kubernetes objects, for its tests: the types must not be part of its API.

func OwnedLabels(managed []metav1.ManagedFieldsEntry) []string { return ownedLabels(managed) }

func Movable(p *corev1.Pod) bool   { return movable(p) }
func Displaced(p *corev1.Pod) bool { return displaced(p) }

func DivideTaints(n *corev1.Node, wanted []string) (own, others []corev1.Taint) {
	return divideTaints(n, parseTaints(wanted))
}

func ParseTaint(s string) corev1.Taint           { return parseTaint(s) }
func MarkedTaints(n *corev1.Node) []corev1.Taint { return markedTaints(n) }
func TaintMark(taints []corev1.Taint) string     { return taintMark(taints) }

func DecodeEntry(text string) (entry, error) { return decodeEntry(text) }
func EncodeEntry(e entry) string             { return e.encode() }

func NodeRow(n *corev1.Node, now time.Time) NodeStatus { return nodeStatus(n, now) }

func NewestSnapshot(b []byte, now time.Time) (*Snapshot, error) { return newestSnapshot(b, now) }

func Transient(err error) bool { return transient(err) }

// WakeQuestion asks a host about RKE2's unit.
const WakeQuestion = wakeQuestion

// ParseUnitRuns reads the answer of a host about RKE2's unit.
func ParseUnitRuns(out string) (unit string, age time.Duration, err error) {
	runs, err := parseUnitRuns(out)
	return runs.unit, runs.age, err
}

// RoundTrips reports whether the object of a desired value is the one that it was made of.
func RoundTrips(desired cty.Value) bool {
	o, err := objectOf(desired)
	if err != nil {
		return false
	}
	return valueOf(o.Object).RawEquals(schema.Plain(desired).GetAttr("content"))
}

func PodReason(p *corev1.Pod) string { return podReason(p) }

func NamesTwice(text []byte) error { return namesTwice(text) }

// Overlaid is what an apply of wanted makes of live, as far as that can be seen. managed is an entry of live's managedFields.
func Overlaid(wanted, live any, managed string) any { return overlay(wanted, live, placed(managed)) }

// Paired are two states of fields as a plan compares them.
func Paired(wanted, before, after any, managed string) (b, a any) {
	return comparer{}.pair(before, after, wanted, placed(managed))
}

func placed(managed string) spot {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "somebody", Operation: "Update", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(managed)}})
	return root(o)
}

func ByHand(manager string) bool { return byHand(manager) }
