package machine

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// owner is what the real file system cannot say about a file without being root: who owns it, and a mode that would
// lock the sandbox itself out. Files without an entry belong to root:root and have their real mode.
type owner struct {
	User  string       `json:"user"`
	Group string       `json:"group"`
	Mode  *fs.FileMode `json:"mode,omitempty"` // permission bits, where they differ from the real ones
}

// record is one line of the ledger's log.
type record struct {
	Op   string `json:"op"` // "set", "rm" (with all below) or "mv"
	Path string `json:"path"`
	To   string `json:"to,omitempty"`
	// Inode is the moved file's, so that a rename that was announced and then never happened can be told.
	Inode uint64 `json:"inode,omitempty"`
	owner
}

// ledger keeps owners in memory and in a log beside the root file system. Each change is one write(2) of one line, made
// before a rename and after anything else, so that a SIGKILL of the sandbox at any moment loses nothing.
type ledger struct {
	mu      sync.Mutex // guards the fields below
	log     *os.File
	entries map[string]owner // by path relative to the root
}

// openLedger reads the log, drops what no file belongs to, and writes it anew. stat gives the inode of a path.
func openLedger(path string, stat func(rel string) (inode uint64, err error)) (*ledger, error) {
	l := &ledger{entries: map[string]owner{}}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	records, err := parseLedger(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for n, r := range records {
		if n == len(records)-1 && r.Op == "mv" {
			if ino, err := stat(r.To); err != nil || ino != r.Inode {
				continue
			}
		}
		l.apply(r)
	}
	for rel := range l.entries {
		if _, err := stat(rel); err != nil {
			delete(l.entries, rel)
		}
	}
	if err := l.compact(path); err != nil {
		return nil, err
	}
	return l, nil
}

// parseLedger reads the log's lines; a last line that was cut off by a kill is dropped.
func parseLedger(data []byte) ([]record, error) {
	var records []record
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var r record
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			if !bytes.HasSuffix(data, []byte("\n")) && bytes.HasSuffix(data, s.Bytes()) {
				break
			}
			return nil, fmt.Errorf("line %d: %w", len(records)+1, err)
		}
		records = append(records, r)
	}
	return records, s.Err()
}

func (l *ledger) compact(path string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, rel := range slices.Sorted(maps.Keys(l.entries)) {
		if err := enc.Encode(record{Op: "set", Path: rel, owner: l.entries[rel]}); err != nil {
			return err
		}
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, b.Bytes(), 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	log, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	l.log = log
	return err
}

func (l *ledger) apply(r record) {
	switch r.Op {
	case "set":
		l.entries[r.Path] = r.owner
	case "rm":
		maps.DeleteFunc(l.entries, func(rel string, _ owner) bool { return within(rel, r.Path) })
	case "mv":
		maps.DeleteFunc(l.entries, func(rel string, _ owner) bool { return within(rel, r.To) })
		for rel, o := range maps.Clone(l.entries) {
			if within(rel, r.Path) {
				delete(l.entries, rel)
				l.entries[r.To+strings.TrimPrefix(rel, r.Path)] = o
			}
		}
	}
}

func within(rel, dir string) bool {
	return rel == dir || strings.HasPrefix(rel, dir+"/")
}

func (l *ledger) write(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := l.log.Write(append(line, '\n')); err != nil {
		return err
	}
	l.apply(r)
	return nil
}

func (l *ledger) get(rel string) owner {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o, ok := l.entries[rel]; ok {
		return o
	}
	return owner{User: "root", Group: "root"}
}

// set records an owner; what equals the default is forgotten.
func (l *ledger) set(rel string, o owner) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, known := l.entries[rel]
	if o.User == "root" && o.Group == "root" && o.Mode == nil {
		if !known {
			return nil
		}
	} else if known && old.User == o.User && old.Group == o.Group && sameMode(old.Mode, o.Mode) {
		return nil
	}
	return l.write(record{Op: "set", Path: rel, owner: o})
}

func sameMode(a, b *fs.FileMode) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func (l *ledger) remove(rel string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for known := range l.entries {
		if within(known, rel) {
			return l.write(record{Op: "rm", Path: rel})
		}
	}
	return nil
}

// move announces a rename, does it, and takes the announcement back when it failed.
func (l *ledger) move(from, to string, inode uint64, rename func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := maps.Clone(l.entries)
	touched := false
	for known := range before {
		touched = touched || within(known, from) || within(known, to)
	}
	if !touched {
		return rename()
	}
	if err := l.write(record{Op: "mv", Path: from, To: to, Inode: inode}); err != nil {
		return err
	}
	err := rename()
	if err == nil {
		return nil
	}
	for rel, o := range before {
		if within(rel, from) || within(rel, to) {
			if werr := l.write(record{Op: "set", Path: rel, owner: o}); werr != nil {
				return errors.Join(err, werr)
			}
		}
	}
	return err
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Close()
}
