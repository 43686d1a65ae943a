package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/expertflow/cxha/sandbox/site"
)

// Launch says how the background server is started.
type Launch struct {
	Serve   []string      // the arguments of serve, --dir apart
	Example string        // the blueprint that is copied; empty for none
	Timeout time.Duration // how long the hosts have to answer
}

// Up starts the server in the background, unless one runs in the directory already, and tells where the hosts are when they answer.
func (a *App) Up(ctx context.Context, l Launch) error {
	p, err := a.Paths()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	status, started, err := site.Up(ctx, p, func() (<-chan struct{}, error) { return launch(p, l.Serve) })
	if err != nil {
		return err
	}
	if !started {
		_, err := fmt.Fprintf(a.Out, "The %s in %s is up already (%d hosts); down ends it.\n", a.Noun, p.Dir, len(status.Hosts)-1)
		return err
	}
	text := fmt.Sprintf("The %s in %s is up: %d hosts behind the bastion at 127.0.0.1:%d.\n", a.Noun, p.Dir, len(status.Hosts)-1, status.BastionPort)
	if l.Example == "" {
		text += "No examples/worker-ha was found, so the blueprint directory has only the variables; --example names one.\n"
	} else {
		text += fmt.Sprintf("\n  cxha plan %s\n", p.Blueprint())
	}
	_, err = io.WriteString(a.Out, text)
	return err
}

// FindExample is the blueprint to copy: the wanted one, or the default one, which may be empty.
func FindExample(wanted string) (string, error) {
	if wanted != "" {
		info, err := os.Stat(wanted)
		if err != nil {
			return "", Usage(fmt.Errorf("example: %w", err))
		}
		if !info.IsDir() {
			return "", Usage(fmt.Errorf("example %s is not a directory", wanted))
		}
		return wanted, nil
	}
	executable, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return site.FindExample(executable, dir), nil
}

// launch starts this program again as the server, in a session of its own so that no terminal's signal reaches it.
func launch(p site.Paths, args []string) (<-chan struct{}, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(p.Log())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(executable, append([]string{"serve", "--dir", p.Dir}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := cmd.Wait(); err != nil {
			return // the log has said why
		}
	}()
	return ended, log.Close()
}
