package remote_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/remote/sshtest"
	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

func connector(t testing.TB, o remote.Options) *remote.Connector {
	t.Helper()
	o.Backoff = time.Millisecond
	c := remote.NewConnector(o)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func connect(t testing.TB, c *remote.Connector, spec providers.HostSpec) providers.Host {
	t.Helper()
	h, err := c.Connect(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func script(lines ...string) *shell.Script {
	var s shell.Script
	for _, l := range lines {
		s.Add("%s", shell.Raw(l))
	}
	return &s
}

// echo prints the script's length and ends with exit code 0.
func echo(x *sshtest.Exec) int {
	text, err := io.ReadAll(x.Stdin)
	if err != nil {
		return 1
	}
	if _, err := fmt.Fprintf(x.Stdout, "%s: %d bytes", x.Command, len(text)); err != nil {
		return 1
	}
	return 0
}

// until polls a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
		<-time.After(time.Millisecond)
	}
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// join copies both ways until one side ends.
func join(all *sync.WaitGroup, a, b net.Conn) {
	end := sync.OnceFunc(func() {
		_ = a.Close() // one of them is closed already
		_ = b.Close()
	})
	all.Go(func() {
		defer end()
		_, _ = io.Copy(a, b)
	})
	all.Go(func() {
		defer end()
		_, _ = io.Copy(b, a)
	})
}
