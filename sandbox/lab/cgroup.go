//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// hierarchies are the directories, one in each hierarchy of control groups, in which the lab makes its own: where this process is.
// Where there is only the unified hierarchy, it is the root, because processes may not stand beside groups with controllers.
func hierarchies() ([]string, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var dirs []string
	for line := range strings.Lines(string(own)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		at, root := cgroupMount(string(mounts), controllers)
		if at == "" {
			continue
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || strings.HasPrefix(rel, "..") {
			rel = "."
		}
		dirs = append(dirs, filepath.Join(at, rel))
		if controllers == "" && at == "/sys/fs/cgroup" {
			return []string{at}, nil
		}
	}
	if len(dirs) == 0 {
		return nil, errors.New("cgroups: none are mounted")
	}
	slices.Sort(dirs)
	return dirs, nil
}

// cgroupMount finds where a hierarchy is mounted, and which directory of it; controllers is empty for the unified one.
func cgroupMount(mountinfo, controllers string) (at, root string) {
	for line := range strings.Lines(mountinfo) {
		// 36 25 0:31 ROOT AT OPTIONS ... - TYPE SOURCE SUPEROPTIONS
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 3 {
			continue
		}
		switch {
		case controllers == "" && g[0] == "cgroup2":
			return f[4], f[3]
		case controllers == "" || g[0] != "cgroup":
		case !slices.ContainsFunc(strings.Split(controllers, ","), func(c string) bool { return !slices.Contains(strings.Split(g[2], ","), c) }):
			return f[4], f[3]
		}
	}
	return "", ""
}

// makeGroup makes a control group of a name below each directory and returns their paths.
func makeGroup(parents []string, name string) ([]string, error) {
	var dirs []string
	for _, parent := range parents {
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("cgroup: %w", err)
		}
		dirs = append(dirs, dir)
		// A new group of cpuset has neither processors nor memory, and nothing can be put into it.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(parent, file))
			if err != nil || strings.TrimSpace(string(value)) == "" {
				continue // not cpuset, or the unified hierarchy, which inherits
			}
			if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
				return nil, fmt.Errorf("cgroup: %w", err)
			}
		}
		if err := delegate(parent, dir); err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

// delegate hands the unified hierarchy's controllers on, where it has any.
func delegate(parent, dir string) error {
	controllers, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil || filepath.Dir(dir) != "/sys/fs/cgroup" {
		return nil
	}
	var words []string
	for _, c := range strings.Fields(string(controllers)) {
		words = append(words, "+"+c)
	}
	for _, at := range []string{parent, dir} {
		if err := os.WriteFile(filepath.Join(at, "cgroup.subtree_control"), []byte(strings.Join(words, " ")), 0o644); err != nil {
			return fmt.Errorf("cgroup: %w", err)
		}
	}
	return nil
}

// removeGroup removes control groups with everything below. Their processes are ending: a group of which some have not ended yet is
// tried again for a while.
func removeGroup(ctx context.Context, dirs []string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, dir := range dirs {
		for {
			err := removeTree(dir)
			if err == nil {
				break
			}
			if !errors.Is(err, syscall.EBUSY) {
				return fmt.Errorf("cgroup: %w", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("cgroup: %w", err)
			}
		}
	}
	return nil
}

// removeTree removes a group and those below it, which have to go first.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}
