package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubectl/pkg/drain"
)

const (
	evictionPause    = 500 * time.Millisecond // between two looks at the pods that have to go
	evictionsAtATime = 8
)

// eviction is a set of pods that have to leave a node.
type eviction struct {
	node  string
	pods  []corev1.Pod
	limit time.Duration // how long no pod may leave before it has failed
}

// evict asks the API server to evict the pods, which respects their disruption budgets, until the last one is gone. Pods
// that the scheduler puts on the node meanwhile are not its business.
func (c call) evict(ctx context.Context, e eviction) error {
	left := map[types.UID]bool{}
	for i := range e.pods {
		left[e.pods[i].UID] = true
	}
	stall := time.NewTimer(e.limit)
	defer stall.Stop()
	said := ""
	for len(left) > 0 {
		// A pod on its way out holds its volumes until the kubelet has removed it, also when its containers have ended.
		there, err := c.podsOn(ctx, e.node, func(p *corev1.Pod) bool { return left[p.UID] && (movable(p) || p.DeletionTimestamp != nil) })
		if err != nil {
			return err
		}
		if len(there) < len(left) {
			left = map[types.UID]bool{}
			for i := range there {
				left[there[i].UID] = true
			}
			stall.Reset(e.limit)
		}
		if len(there) == 0 {
			return nil
		}
		waiting, err := c.evictOnce(ctx, there)
		if err != nil {
			return fmt.Errorf("node %s: %w", e.node, err)
		}
		if waiting != said {
			c.progress("%s", waiting)
			said = waiting
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("node %s: %w: %s", e.node, context.Cause(ctx), waiting)
		case <-stall.C:
			return fmt.Errorf("node %s: no pod left the node for %s: %s", e.node, e.limit, waiting)
		case <-time.After(evictionPause):
		}
	}
	return nil
}

// evictOnce asks once for each pod that is not ending yet and tells what is waited for.
func (c call) evictOnce(ctx context.Context, pods []corev1.Pod) (waiting string, err error) {
	var ending []string
	blocked := map[string][]string{} // pods by what the budget says
	var errs []error
	var mu sync.Mutex // guards the three
	var wg sync.WaitGroup
	slots := make(chan struct{}, evictionsAtATime)
	for i := range pods {
		p := &pods[i]
		if p.DeletionTimestamp != nil {
			mu.Lock()
			ending = append(ending, podName(p))
			mu.Unlock()
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			budget, err := c.evictPod(ctx, p)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("pod %s cannot be evicted: %w", podName(p), err))
			case budget != "":
				blocked[budget] = append(blocked[budget], podName(p))
			default:
				ending = append(ending, podName(p))
			}
		})
	}
	wg.Wait()
	return waitingFor(len(pods), blocked, ending), errors.Join(errs...)
}

// waitingFor says what keeps an eviction: budgets first, since people can do something about them.
func waitingFor(pods int, blocked map[string][]string, ending []string) string {
	var parts []string
	for _, budget := range keys(blocked) {
		names := slices.Sorted(slices.Values(blocked[budget]))
		parts = append(parts, fmt.Sprintf("waiting for %s (%s %s)", budget, plural(len(names), "pod", "pods"), shorten(names)))
	}
	if len(ending) > 0 {
		slices.Sort(ending)
		parts = append(parts, "waiting for the end of "+shorten(ending))
	}
	return fmt.Sprintf("%d %s left: %s", pods, plural(pods, "pod", "pods"), strings.Join(parts, "; "))
}

func shorten(ss []string) string {
	const show = 3
	if len(ss) > show {
		return fmt.Sprintf("%s and %d more", strings.Join(ss[:show], ", "), len(ss)-show)
	}
	return strings.Join(ss, ", ")
}

// evictPod asks for the eviction of one pod; budget tells which PodDisruptionBudget does not allow it now.
func (c call) evictPod(ctx context.Context, p *corev1.Pod) (budget string, err error) {
	err = c.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
		helper := &drain.Helper{Ctx: ctx, Client: client, GracePeriodSeconds: -1}
		return helper.EvictPod(*p, policyv1.SchemeGroupVersion)
	})
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return "", nil
	case apierrors.IsTooManyRequests(err):
		return blockingBudget(p, err), nil
	case apierrors.IsForbidden(err) && apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return "", nil // the namespace's own end takes the pod along
	}
	return "", err
}

// blockingBudget reads the API server's answer, which names the budget in a sentence only.
func blockingBudget(p *corev1.Pod, err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			rest, ok := strings.CutPrefix(cause.Message, "The disruption budget ")
			if name, why, named := strings.Cut(rest, " "); ok && named && cause.Type == policyv1.DisruptionBudgetCause {
				return fmt.Sprintf("PodDisruptionBudget %s/%s, which %s", p.Namespace, name, strings.TrimSuffix(why, "."))
			}
		}
	}
	return fmt.Sprintf("a PodDisruptionBudget: %v", err)
}

// impatient is a transport on which an eviction that is refused for now is refused at once: client-go would wait as long as
// the server proposes (10 s while a budget is being worked on) and ask again without a word.
type impatient struct{ http.RoundTripper }

func (t impatient) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests && strings.HasSuffix(r.URL.Path, "/eviction") {
		resp.Header.Del("Retry-After")
	}
	return resp, err
}

func listPods(ctx context.Context, client *kubernetes.Clientset, node string) ([]corev1.Pod, error) {
	only := fields.OneTermEqualSelector("spec.nodeName", node).String()
	list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: only})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
