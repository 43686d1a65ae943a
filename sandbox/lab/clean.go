//go:build linux

package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/expertflow/cxha/sandbox/site"
)

// groupsFile lists the control groups of the lab in a directory. Everything else that a lab makes ends with its processes, however
// they end; control groups stay.
const groupsFile = "cgroups.json"

// Identity is the name of the control groups of the lab in a directory: it tells the labs of a machine apart.
func Identity(p site.Paths) string {
	sum := sha256.Sum256([]byte(p.Dir))
	return "cxha-lab-" + hex.EncodeToString(sum[:4])
}

// makeGroups makes the lab's control groups, and notes them before.
func (l *Lab) makeGroups(context.Context) error {
	parents, err := hierarchies()
	if err != nil {
		return err
	}
	name := Identity(l.paths)
	var dirs []string
	for _, parent := range parents {
		dirs = append(dirs, filepath.Join(parent, name))
	}
	text, err := json.Marshal(dirs)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(l.paths.Dir, groupsFile), text, 0o644); err != nil {
		return err
	}
	l.groups, err = makeGroup(parents, name)
	return err
}

// Clean removes what a server of the directory that was killed left. No server may be running there.
func Clean(ctx context.Context, p site.Paths) error {
	name := filepath.Join(p.Dir, groupsFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var dirs []string
	if err := json.Unmarshal(text, &dirs); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, dir := range dirs {
		if filepath.Base(dir) != Identity(p) {
			return fmt.Errorf("%s names %s, which is no control group of this lab", name, dir)
		}
	}
	if err := removeGroup(ctx, dirs); err != nil {
		return err // they are still named, for the next time
	}
	return os.Remove(name)
}
