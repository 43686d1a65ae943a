package site

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// State is what is remembered between two lives of a server.
type State struct {
	Workers     int           `json:"workers"`
	BastionPort int           `json:"bastion_port"`
	ChartsPort  int           `json:"charts_port,omitempty"`
	APIPort     int           `json:"api_port,omitempty"`
	Latency     time.Duration `json:"latency"`
}

// ReadState reads what the last life of the server left; the zero value when there was none.
func (p Paths) ReadState() (State, error) {
	data, err := os.ReadFile(p.state())
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("%s: %w", p.state(), err)
	}
	return s, nil
}

// WriteState keeps it for the next life. The directory is then the sandbox's: Remove looks for this file.
func (p Paths) WriteState(s State) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(p.state(), append(data, '\n'), 0o644)
}

// replaceFile writes a file so that nobody sees half of it.
func replaceFile(name string, data []byte, mode fs.FileMode) error {
	tmp := name + ".new"
	if err := os.WriteFile(tmp, data, mode); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
