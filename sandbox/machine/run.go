package machine

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// Run runs a shell command as root, as if typed at the machine's console: it is not counted and needs no network.
// It returns the exit code.
func (m *Machine) Run(ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	if !m.enter() {
		return 0, fmt.Errorf("host %s: %w", m.name, ErrPowerOff)
	}
	defer m.leave()
	power := m.powerContext()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(ErrStopped)
	defer context.AfterFunc(power, func() { cancel(ErrPowerOff) })()
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	_, root, ok := m.cred("root")
	if !ok {
		root = user{name: "root", uid: "0", home: "/root", shell: "/bin/sh"}
	}
	p := &Process{
		Machine: m, Args: []string{"sh"}, Env: loginEnv(root), Dir: "/", Cred: rootCred,
		Stdin: stdin, Stdout: stdout, Stderr: stderr, Notify: func() {}, life: power,
	}
	return m.shell(ctx, p, script{name: "sh", text: []byte(command)}), nil
}
