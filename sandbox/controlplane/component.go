package controlplane

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Component is one running child process.
type Component struct {
	name    string
	log     string
	command *exec.Cmd
	stdin   io.Closer
	done    chan struct{}
	err     error // set before done is closed
}

// Process is a child process of the daemon.
type Process struct {
	Name string
	Log  string // the file that its output is appended to
	Path string // the program
	Args []string
	Env  []string // besides the daemon's own
}

// StartComponent starts `component NAME ARGS` of this very program with its output in a log file. To ps it is NAME.
func StartComponent(name, log string, args []string) (*Component, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("component %s: %w", name, err)
	}
	// kwok would read the user's own ~/.kwok otherwise.
	env := []string{"KWOK_WORKDIR=" + filepath.Dir(log)}
	return StartProcess(Process{Name: name, Log: log, Path: program, Args: append([]string{Subcommand, name}, args...), Env: env})
}

// StartProcess starts a child in a process group of its own. To ps it has its short name, which RKE2's unit files look for.
func StartProcess(process Process) (*Component, error) {
	if err := os.MkdirAll(filepath.Dir(process.Log), 0o700); err != nil {
		return nil, fmt.Errorf("component %s: %w", process.Name, err)
	}
	output, err := os.OpenFile(process.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("component %s: %w", process.Name, err)
	}
	defer output.Close() // the child has its own descriptor

	command := exec.Command(process.Path, process.Args...)
	command.Args[0] = process.Name
	command.Dir = filepath.Dir(process.Log)
	// The daemon alone tells systemd when it is ready.
	environment := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NOTIFY_SOCKET=") })
	command.Env = append(environment, process.Env...)
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = childAttributes()
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("component %s: %w", process.Name, err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("component %s: %w", process.Name, errors.Join(err, stdin.Close()))
	}
	component := &Component{name: process.Name, log: process.Log, command: command, stdin: stdin, done: make(chan struct{})}
	go func() {
		component.err = command.Wait()
		close(component.done)
	}()
	return component, nil
}

// Name returns the component's name.
func (c *Component) Name() string { return c.name }

// Done is closed when the process has ended, whoever ended it.
func (c *Component) Done() <-chan struct{} { return c.done }

// Err says how the process ended, with the last line of its log. It waits for the end.
func (c *Component) Err() error {
	<-c.done
	state := "exited"
	if c.err != nil {
		state = c.err.Error()
	}
	return fmt.Errorf("component %s: %s: %s", c.name, state, lastLine(c.log))
}

// Stop asks the process to end and kills it if it still lives after grace. It returns when the process has ended.
func (c *Component) Stop(grace time.Duration) error {
	if err := c.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("component %s: %w", c.name, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
		c.Kill()
		return nil
	}
}

// Kill ends the process at once, as a power cut does, and returns when it has ended.
func (c *Component) Kill() {
	// An error means that the process has ended by itself, and then done says so.
	_ = c.command.Process.Kill()
	<-c.done
}

func lastLine(log string) string {
	content, err := os.ReadFile(log)
	if errors.Is(err, fs.ErrNotExist) {
		return "no log"
	}
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return lines[len(lines)-1]
}
