package helm

import (
	"context"
	"strings"
	"sync"
	"time"

	helmkube "helm.sh/helm/v4/pkg/kube"
)

// GetWaiter returns a waiter that reports.
func (c *client) GetWaiter(s helmkube.WaitStrategy) (helmkube.Waiter, error) {
	return c.GetWaiterWithOptions(s)
}

// GetWaiterWithOptions returns a waiter that reports.
func (c *client) GetWaiterWithOptions(s helmkube.WaitStrategy, o ...helmkube.WaitOption) (helmkube.Waiter, error) {
	inner, err := c.Client.GetWaiterWithOptions(s, o...)
	if err != nil {
		return nil, err
	}
	return &reportingWaiter{Waiter: inner, client: c}, nil
}

// reportingWaiter tells what is missing, looking every few seconds, and why when the wait fails.
type reportingWaiter struct {
	helmkube.Waiter
	client *client
}

// Wait waits until the objects are ready.
func (w *reportingWaiter) Wait(list helmkube.ResourceList, timeout time.Duration) error {
	return w.watch("waiting", "not ready", list, ready, func() error { return w.Waiter.Wait(list, timeout) })
}

// WaitForDelete waits until the objects are gone.
func (w *reportingWaiter) WaitForDelete(list helmkube.ResourceList, timeout time.Duration) error {
	list = withoutData(list)
	return w.watch("waiting for removal", "not gone", list, gone, func() error { return w.Waiter.WaitForDelete(list, timeout) })
}

// WatchUntilReady waits until the objects of a hook have done their work.
func (w *reportingWaiter) WatchUntilReady(list helmkube.ResourceList, timeout time.Duration) error {
	return w.watch("waiting for a hook", "hook not done", list, finished, func() error { return w.Waiter.WatchUntilReady(list, timeout) })
}

// watch runs a wait. doing and failed are what it is and what its failure is, in words; missing tells what an object lacks.
func (w *reportingWaiter) watch(doing, failed string, list helmkube.ResourceList, missing condition, wait func() error) error {
	o := &observer{client: w.client.cluster, left: list, missing: missing}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(w.client.call.options.ReportEvery)
		defer tick.Stop()
		said := ""
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if text := strings.Join(o.look(w.client.call.ctx), "; "); text != "" && text != said {
					w.client.call.progress("%s: %s", doing, text)
					said = text
				}
			}
		}
	})
	err := wait()
	close(stop)
	wg.Wait()
	if err == nil {
		return nil
	}
	return w.client.hide(w.explain(failed, o, err))
}

// lastLook is how long the look may take that tells why a wait failed.
const lastLook = 10 * time.Second

func (w *reportingWaiter) explain(failed string, o *observer, err error) error {
	parent := w.client.call.ctx
	if cause := context.Cause(parent); cause != nil {
		err = cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), lastLook)
	defer cancel()
	reasons := o.look(ctx)
	if len(reasons) == 0 {
		return err
	}
	return &notReadyError{what: failed, reasons: reasons, err: err}
}
