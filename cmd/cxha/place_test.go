package main_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// webImage is an image that the lab has; on the sandbox's virtual hosts no image is pulled.
const webImage = "registry.example/cx/web:1.0.0"

// place is where the scripts' hosts are.
type place struct {
	lab   bool
	limit string        // how long kubectl waits: the variable LIMIT of the scripts
	slots chan struct{} // a token per script that runs; nil: as many as go test runs at a time
}

// isLab tells the lab's program from the sandbox's, whose command line is the same.
func isLab(binary string) bool { return strings.HasPrefix(filepath.Base(binary), "cxha-lab") }

func placeOf(binary string) *place {
	if !isLab(binary) {
		return &place{limit: "60s"}
	}
	// Each script has three or four real hosts, with real kubelets and containers, besides a control plane: more at a time would
	// only wait for processors. One waits for its cluster while the others work.
	return &place{lab: true, limit: "5m", slots: make(chan struct{}, runtime.NumCPU()+1)}
}

// enter waits until a script may run, and returns what is to be called at its end.
func (p *place) enter() (leave func()) {
	if p.slots == nil {
		return func() {}
	}
	p.slots <- struct{}{}
	return func() { <-p.slots }
}

// condition is [lab] in a script: `[lab] skip 'why'`.
func (p *place) condition(name string) (bool, error) {
	if name != "lab" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	return p.lab, nil
}
