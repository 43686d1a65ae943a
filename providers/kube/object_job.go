package kube

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/providers"
)

// ranPrefix begins the keys of the inventory that tell of Jobs which ran to their end and then removed themselves, as
// ttlSecondsAfterFinished has it: _ran.Job.NAMESPACE.NAME. The value is a digest of the Job as the blueprint had it. A Job of another
// content runs again; whoever wants the same one to run again removes the key.
const ranPrefix = "_ran."

func readRan(data map[string]string) map[string]string {
	ran := map[string]string{}
	for key, text := range data {
		if strings.HasPrefix(key, ranPrefix) {
			ran[key] = text
		}
	}
	return ran
}

// isJob reports whether an object is a Job of batch/v1.
func isJob(o *unstructured.Unstructured) bool {
	return o.GetKind() == "Job" && o.GroupVersionKind().Group == "batch"
}

// vanishes reports whether an object is meant to be gone when it has done its work.
func vanishes(o *unstructured.Unstructured) bool {
	_, ends, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "ttlSecondsAfterFinished")
	return ends && isJob(o)
}

// ranKey is the Job's key in the inventory: one that a ConfigMap takes, however long the name is.
func ranKey(o *unstructured.Unstructured) string {
	key := ranPrefix + "Job." + o.GetNamespace() + "." + o.GetName()
	if len(key) > 253 {
		sum := sha256.Sum256([]byte(key))
		key = ranPrefix + "Job." + hex.EncodeToString(sum[:])
	}
	return key
}

// rounds make guessing what is secret in a Job by its digest as slow as guessing a password.
const rounds = 100_000

// ranDigest is a digest of a Job's fields with its salt: SALT.DIGEST.
func ranDigest(o *unstructured.Unstructured, salt []byte) (string, error) {
	b, err := json.Marshal(o.Object)
	if err != nil {
		return "", err
	}
	sum, err := pbkdf2.Key(sha256.New, string(b), salt, rounds, 16)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(salt) + "." + base64.RawURLEncoding.EncodeToString(sum), nil
}

// ran reports whether the Job ran to its end with these fields, and has removed itself.
func ran(records map[string]string, o *unstructured.Unstructured) bool {
	record, ok := records[ranKey(o)]
	if !ok || !vanishes(o) {
		return false
	}
	text, _, _ := strings.Cut(record, ".")
	salt, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	digest, err := ranDigest(o, salt)
	return err == nil && subtle.ConstantTimeCompare([]byte(digest), []byte(record)) == 1
}

// recordRun keeps that the Job ran.
func (w *work) recordRun(ctx context.Context) error {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return err
	}
	digest, err := ranDigest(w.object, salt)
	if err != nil {
		return err
	}
	return w.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
		return writeHint(ctx, client, ranKey(w.object), digest)
	})
}

// finished is what a probe says of a Job that ran and is gone: it is as the blueprint has it.
func finished(r providers.Resource) providers.Live {
	return providers.Live{Value: r.Desired, Result: r.Desired}
}

// jobMissing tells what a Job still waits for; empty: it is done. One that failed is an error, with the reason.
func jobMissing(o *unstructured.Unstructured) (string, error) {
	var j batchv1.Job
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &j); err != nil {
		return "", fmt.Errorf("%s: its status cannot be read: %w", title(o), err)
	}
	for _, c := range j.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobComplete:
			return "", nil
		case c.Type == batchv1.JobFailed:
			return "", fmt.Errorf("%s: failed: %s", title(o), brevity(c.Reason, c.Message))
		}
	}
	if j.Spec.Suspend != nil && *j.Spec.Suspend {
		return "", nil // it waits for whoever suspended it
	}
	text := fmt.Sprintf("it runs: %d active", j.Status.Active)
	if j.Status.Succeeded > 0 {
		text += fmt.Sprintf(", %d succeeded", j.Status.Succeeded)
	}
	if j.Status.Failed > 0 {
		text += fmt.Sprintf(", %d failed", j.Status.Failed)
	}
	return text, nil
}

// jobNote tells of a Job that is as the blueprint has it and failed.
func jobNote(o *unstructured.Unstructured) []string {
	if !isJob(o) {
		return nil
	}
	if _, err := jobMissing(o); err != nil {
		return []string{fmt.Sprintf("%s. To run it again, delete it with `%s` and apply", err, kubectl("delete", o))}
	}
	return nil
}

// lastState returns what an object was when it was removed. The API server still tells for some minutes.
func lastState(ctx context.Context, api dynamic.ResourceInterface, was *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	events, err := api.Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", was.GetName()).String(), ResourceVersion: was.GetResourceVersion(),
	})
	if err != nil {
		return nil, err
	}
	defer events.Stop()
	for {
		select {
		case e, ok := <-events.ResultChan():
			o, isObject := e.Object.(*unstructured.Unstructured)
			switch {
			case !ok || !isObject:
				return was, nil
			case e.Type == watch.Deleted && o.GetUID() == was.GetUID():
				return o, nil
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
