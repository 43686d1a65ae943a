package site

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// state is what a sandbox remembers between two lives of its server.
type state struct {
	Workers     int           `json:"workers"`
	BastionPort int           `json:"bastion_port"`
	ChartsPort  int           `json:"charts_port,omitempty"`
	Latency     time.Duration `json:"latency"`
}

func (p Paths) readState() (state, error) {
	data, err := os.ReadFile(p.state())
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return state{}, fmt.Errorf("%s: %w", p.state(), err)
	}
	return s, nil
}

func (p Paths) writeState(s state) error {
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
