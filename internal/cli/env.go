package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Env is what a command may touch of the process it runs in.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // name=value
	StdinTerminal  bool     // a person can be asked
	StdoutTerminal bool
	StderrTerminal bool // progress may be drawn over
	Width          int  // columns of the terminal; 80 where there is none
}

// SystemEnv returns the environment of this process.
func SystemEnv() Env {
	e := Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Width: 80}
	e.StdinTerminal = term.IsTerminal(int(os.Stdin.Fd()))
	e.StdoutTerminal = term.IsTerminal(int(os.Stdout.Fd()))
	e.StderrTerminal = term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb"
	if w, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && w > 0 {
		e.Width = w
	}
	return e
}

// Getenv returns the value of a variable, empty where it is not set.
func (e Env) Getenv(name string) string {
	for _, kv := range e.Environ {
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			return kv[len(name)+1:]
		}
	}
	return ""
}
