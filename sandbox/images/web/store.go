package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"
)

// errName is the error for a name that no file may have.
var errName = errors.New("name: want letters, digits, dots and dashes, at most 100, and a letter or digit first")

var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$`)

// startsFile has one line for every start of the application on this directory: what moved where, and when.
const startsFile = "starts"

// store keeps files in a directory. What has been written is on the disk when write returns.
type store struct{ root *os.Root }

// openStore opens a directory and notes in it that the application has started.
func openStore(directory string, who identity) (*store, error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, err
	}
	s := &store{root}
	if err := s.note(time.Now(), who); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

func (s *store) close() error { return s.root.Close() }

func (s *store) note(now time.Time, who identity) error {
	file, err := s.root.OpenFile(startsFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%s %s\n", now.UTC().Format(time.RFC3339), who)
	return errors.Join(err, file.Sync(), file.Close())
}

func (s *store) read(name string) ([]byte, error) {
	if !names.MatchString(name) {
		return nil, errName
	}
	return s.root.ReadFile(name)
}

// write replaces a file as a whole: a power cut leaves the old one or the new one.
func (s *store) write(name string, content []byte) error {
	if !names.MatchString(name) || name == startsFile {
		return errName
	}
	temporary := fmt.Sprintf(".%s.%d", name, time.Now().UnixNano())
	file, err := s.root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, s.root.Remove(temporary))
	}
	if err := s.root.Rename(temporary, name); err != nil {
		return errors.Join(err, s.root.Remove(temporary))
	}
	directory, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
