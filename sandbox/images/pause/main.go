// Command pause is the program that holds a pod's namespaces: it waits, and reaps what the pod's other processes leave behind.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		if err := reap(); err != nil {
			fmt.Fprintf(os.Stderr, "pause: %v\n", err)
			os.Exit(1)
		}
	}
}

// reap takes the status of every child that has ended. In a pod with one namespace of processes for all containers this is
// the process that orphans fall to.
func reap() error {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.ECHILD), err == nil && pid == 0:
			return nil
		case err != nil:
			return fmt.Errorf("wait: %w", err)
		}
	}
}
