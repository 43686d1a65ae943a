package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
)

// waiting is a change whose commands ran and whose effect is waited for.
type waiting struct {
	run    *run
	host   providers.Host
	change plans.Change
	await  providers.Await
	said   string // what is missing, as it was last told
}

func (w *waiting) wait(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, w.await.Limit, fmt.Errorf("not done after %s", w.await.Limit))
	defer cancel()
	tick := time.NewTicker(w.await.Every)
	defer tick.Stop()
	for {
		done, err := w.look(limited)
		if err != nil {
			return w.failed(limited, err)
		}
		if done {
			return nil
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			return w.failed(limited, context.Cause(limited))
		}
	}
}

// look asks once.
func (w *waiting) look(ctx context.Context) (done bool, err error) {
	reply, err := w.host.Run(ctx, new(shell.Script).Add("%s", shell.Raw(w.await.Question)))
	if err != nil {
		return false, err
	}
	done, missing, err := w.await.Done(reply)
	if err != nil {
		w.said = "" // the error says more than what was missing before it
		return false, err
	}
	if !done && missing != w.said {
		w.said = missing
		w.run.session.Progress(w.change.Addr, missing)
	}
	return done, nil
}

// failed adds what the host can tell to the error of a wait.
func (w *waiting) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if w.said != "" {
		err = fmt.Errorf("%w; waiting for: %s", err, w.said)
	}
	e := &CommandError{Host: w.change.Host, Addr: w.change.Addr, Cause: err}
	if w.await.OnLimit == "" || errors.Is(err, context.Canceled) {
		return e
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	reply, runErr := w.host.Run(ctx, new(shell.Script).Add("%s", shell.Raw(w.await.OnLimit)))
	if runErr != nil {
		e.Cause = errors.Join(err, runErr)
		return e
	}
	e.Reply = reply
	return e
}
