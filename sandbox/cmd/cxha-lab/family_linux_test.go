package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/console/consoletest"
	"github.com/expertflow/cxha/sandbox/lab"
	"github.com/expertflow/cxha/sandbox/site"
)

// family is a process with everything that descends from it, and the namespaces that these are in or hold.
type family struct {
	processes  map[int]string  // start times
	all        map[int]string  // of the whole machine then
	namespaces map[string]bool // as the kernel names them: net:[4026532177]
}

// procs are the processes of the machine: parents and start times.
func procs(t *testing.T) (parents map[int]int, starts map[int]string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parents, starts = map[int]int{}, map[int]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// PID (NAME) STATE PARENT ... with the start time as the 22nd
		f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil || len(f) < 20 {
			t.Fatalf("%s: %s", name, text)
		}
		if f[0] == "Z" {
			continue // it has ended, and its parent has not looked yet
		}
		if parents[pid], err = strconv.Atoi(f[1]); err != nil {
			t.Fatal(err)
		}
		starts[pid] = f[19]
	}
	return parents, starts
}

func familyOf(t *testing.T, head int) family {
	t.Helper()
	parents, starts := procs(t)
	f := family{processes: map[int]string{}, all: starts, namespaces: map[string]bool{}}
	for pid := range parents {
		for p := pid; p > 1; p = parents[p] {
			if p == head {
				f.processes[pid] = starts[pid]
			}
		}
	}
	own := namespacesOf(os.Getpid(), "ns")
	for pid := range f.processes {
		for _, ns := range append(namespacesOf(pid, "ns"), namespacesOf(pid, "fd")...) {
			if !slices.Contains(own, ns) {
				f.namespaces[ns] = true
			}
		}
	}
	return f
}

// namespacesOf are the namespaces that a process is in (ns) or has open (fd).
func namespacesOf(pid int, dir string) []string {
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/%s/*", pid, dir))
	if err != nil {
		return nil
	}
	var all []string
	for _, name := range names {
		// net:[4026532177]: the numbers of other things that look so are small.
		if target, err := os.Readlink(name); err == nil && strings.Contains(target, ":[402") && !strings.HasPrefix(target, "socket") && !strings.HasPrefix(target, "pipe") {
			all = append(all, target)
		}
	}
	return all
}

// alive are those of the family that have not ended.
func (f family) alive(t *testing.T) []int {
	t.Helper()
	_, starts := procs(t)
	var pids []int
	for pid, start := range f.processes {
		if starts[pid] == start {
			pids = append(pids, pid)
		}
	}
	return pids
}

// checkGone looks for processes, namespaces, mounts and control groups of a lab.
func (f family) checkGone(t *testing.T, dir string) {
	t.Helper()
	consoletest.Wait(t, "the processes are gone", func() bool { return len(f.alive(t)) == 0 }) // the server lets go of the directory before it ends
	_, starts := procs(t)
	for pid := range starts {
		for _, ns := range namespacesOf(pid, "ns") {
			// The kernel uses numbers again, so a younger process may have the number of a namespace that is gone.
			if f.namespaces[ns] && f.all[pid] == starts[pid] {
				t.Errorf("process %d has the namespace %s of the lab", pid, ns)
			}
		}
		mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
		if err == nil && strings.Contains(string(mounts), dir+"/") {
			t.Errorf("process %d sees mounts of the lab", pid)
		}
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && pid != os.Getpid() && strings.Contains(string(command)+"\x00", dir+"\x00") {
			t.Errorf("process %d is of the lab: %s", pid, command)
		}
	}
	paths, err := site.NewPaths(dir)
	if err != nil {
		t.Fatal(err)
	}
	group := lab.Identity(paths)
	err = filepath.WalkDir("/sys/fs/cgroup", func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == group {
			t.Errorf("the control group %s is left", name)
		}
		return nil // groups of others come and go
	})
	if err != nil {
		t.Error(err)
	}
}
