package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Interrupts are the two steps of Ctrl-C: the first ends the soft context, after which nothing new is started; the second
// ends the hard one, which stops what runs.
type Interrupts struct {
	soft, hard context.Context
	close      func()
}

func newInterrupts(notice io.Writer) *Interrupts {
	hard, stopHard := context.WithCancel(context.Background())
	soft, stopSoft := context.WithCancel(hard)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for _, step := range []struct {
			cancel func()
			notice string
		}{
			{stopSoft, "interrupted: nothing new is started, what runs is finished; once more to stop at once"},
			{stopHard, "stopping now"},
		} {
			select {
			case <-signals:
				// There is nowhere left to report a failure to write to stderr.
				_, _ = fmt.Fprintf(notice, "cxha: %s\n", step.notice)
				step.cancel()
			case <-done:
				return
			}
		}
	}()
	return &Interrupts{soft: soft, hard: hard, close: func() {
		signal.Stop(signals)
		close(done)
		stopHard()
	}}
}
