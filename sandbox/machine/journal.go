package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// journalLimit is the size at which the older half of a unit's journal is dropped.
const journalLimit = 512 << 10

// journal keeps the log lines of units, one real file per unit beside the root file system.
type journal struct {
	dir string
	mu  sync.Mutex // serialises writers
}

// entry is one line of the journal.
type entry struct {
	at               time.Time
	ident, run, text string // run is the invocation that wrote it
}

func openJournal(dir string) (*journal, error) {
	return &journal{dir: dir}, os.MkdirAll(dir, 0o755)
}

func (j *journal) file(unit string) string {
	return filepath.Join(j.dir, strings.ReplaceAll(unit, "/", "-")+".log")
}

// add appends one line. A journal that cannot be written must not stop the unit: the error is the caller's to drop.
func (j *journal) add(unit string, e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	line := fmt.Sprintf("%s\t%s\t%s\t%s\n", e.at.UTC().Format(time.RFC3339Nano), e.ident, e.run, strings.TrimRight(e.text, "\r\n"))
	f, err := os.OpenFile(j.file(unit), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	info, serr := f.Stat()
	if err := errors.Join(err, serr, f.Close()); err != nil {
		return err
	}
	if info.Size() > journalLimit {
		return j.trim(unit)
	}
	return nil
}

func (j *journal) trim(unit string) error {
	data, err := os.ReadFile(j.file(unit))
	if err != nil {
		return err
	}
	half := data[len(data)/2:]
	if n := bytes.IndexByte(half, '\n'); n >= 0 {
		half = half[n+1:]
	}
	tmp := j.file(unit) + ".new"
	if err := os.WriteFile(tmp, half, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, j.file(unit))
}

// read gives a unit's lines, oldest first.
func (j *journal) read(unit string) ([]entry, error) {
	data, err := os.ReadFile(j.file(unit))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseJournal(string(data)), nil
}

// parseJournal skips lines that are none, such as one that a kill cut off.
func parseJournal(data string) []entry {
	var entries []entry
	for line := range strings.Lines(data) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4)
		if len(f) != 4 {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, f[0])
		if err != nil {
			continue
		}
		entries = append(entries, entry{at: at, ident: f[1], run: f[2], text: f[3]})
	}
	return entries
}

// writer turns what a process prints into lines of the unit's journal.
type journalWriter struct {
	journal          *journal
	unit, ident, run string

	mu   sync.Mutex // guards rest: stdout and stderr share the writer
	rest []byte     // an unfinished line
}

// Write implements io.Writer.
func (w *journalWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, b...)
	for {
		n := bytes.IndexByte(w.rest, '\n')
		if n < 0 {
			return len(b), nil
		}
		line := string(w.rest[:n])
		w.rest = w.rest[n+1:]
		if err := w.journal.add(w.unit, entry{at: time.Now(), ident: w.ident, run: w.run, text: line}); err != nil {
			return len(b), err
		}
	}
}

// flush writes a last line that had no newline.
func (w *journalWriter) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) == 0 {
		return nil
	}
	line := string(w.rest)
	w.rest = nil
	return w.journal.add(w.unit, entry{at: time.Now(), ident: w.ident, run: w.run, text: line})
}
