package main

import (
	"sync"
	"testing"
	"time"

	"github.com/expertflow/cxha/sandbox/console/consoletest"
	"github.com/expertflow/cxha/sandbox/lab"
)

// TestIntegrationManyHosts brings up sixteen hosts, and a second lab beside them. On two cores that have nothing else to do it takes
// half a minute at most; a machine that is shared gets three times as long.
func TestIntegrationManyHosts(t *testing.T) {
	// Not beside other tests of this package, because it takes a time.
	dir, second := newLab(t), newLab(t)
	// The base system is made once on a machine, and is not what is measured here.
	if _, err := lab.EnsureBase(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	consoletest.Do(t, dir, 0, "up", "--bare", "--workers", "15")
	took := time.Since(began)
	t.Logf("16 hosts and a bastion answer after %.1f s", took.Seconds())
	if took > 90*time.Second {
		t.Errorf("16 hosts took %s", took)
	}
	consoletest.Do(t, second, 0, "up", "--bare", "--workers", "1")

	// Both have a host of this address, and each finds its own.
	var both sync.WaitGroup
	for _, d := range []string{dir, second} {
		both.Go(func() { consoletest.Do(t, d, 0, "exec", "w1", "--", "echo "+d+" > /etc/whose") })
	}
	both.Wait()
	for _, d := range []string{dir, second} {
		if got := ssh(t, d, "w1", "cat /etc/whose"); got != d+"\n" {
			t.Errorf("w1 of %s is %q", d, got)
		}
	}
	if got := ssh(t, dir, "w15", "hostname -I"); got != "10.10.1.18 10.10.3.25 \n" {
		t.Errorf("w15 has %q", got)
	}
	consoletest.Do(t, second, 0, "down", "--wipe")
	if got := ssh(t, dir, "w1", "cat /etc/whose"); got != dir+"\n" {
		t.Errorf("after the end of the other lab: %q", got)
	}
}
