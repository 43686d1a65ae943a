package remote_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/remote/sshtest"
)

// Nothing runs on after Close: not for hosts that answered, nor for those that were lost, stopped or refused. This test
// counts goroutines, so it does not run beside others.
func TestCloseLeavesNothingBehind(t *testing.T) {
	before := remoteGoroutines()
	w, b, hosts := site(t, 30, sshtest.Options{}, sshtest.Options{Handler: func(x *sshtest.Exec) int {
		<-x.Context.Done()
		return 0
	}})
	c := remote.NewConnector(remote.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i, h := range hosts {
		spec := w.Spec(h)
		if i%3 == 1 {
			spec.SSH.User, spec.SSH.Key = "root", w.KnownHosts()
		}
		all.Go(func() {
			host, err := c.Connect(ctx, spec)
			if i%3 == 1 {
				if e := (*remote.AuthError)(nil); !errors.As(err, &e) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := host.Dial(ctx, "tcp", b.Addr()); err != nil {
				t.Error(err)
			}
			if _, err := host.Run(ctx, script("true")); err == nil {
				t.Error("the command ended")
			}
		})
	}
	until(t, "all commands run", func() bool { return c.Stats().Commands == 20 })
	for i, h := range hosts {
		if i%3 == 2 {
			h.Drop()
		}
	}
	cancel()
	all.Wait()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, h := range append(hosts, b) {
		h.Off()
	}
	until(t, fmt.Sprintf("only the %d goroutines of the start are left", before), func() bool { return remoteGoroutines() <= before })
}

// remoteGoroutines counts the goroutines of this package and the SSH library.
func remoteGoroutines() int {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	n := 0
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "/internal/remote.") || strings.Contains(g, "golang.org/x/crypto/ssh") {
			n++
		}
	}
	return n
}
