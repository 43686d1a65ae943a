package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"
)

// life runs one unit from start to stop.
type life struct {
	s *Systemd
	u *service
	d *definition
	r *run

	job sync.Once // the start job ends once
}

// outcome is how one process of a unit ended.
type outcome struct {
	result  string // systemd's Result
	code    int
	skipped bool
}

func (l *life) log(ident, text string) {
	l.s.mu.Lock()
	run := l.u.invocation
	l.s.mu.Unlock()
	// A host whose disk is full goes on without a journal, as a real one does.
	if err := l.s.machine.journal.add(l.u.name, entry{at: time.Now(), ident: ident + "[1]", run: run, text: text}); err != nil {
		return
	}
}

func (l *life) set(change func(u *service)) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	change(l.u)
}

// finishStart ends the start job.
func (l *life) finishStart(err error) {
	l.job.Do(func() {
		l.r.startErr = err
		close(l.r.started)
	})
}

// run is the unit's goroutine. ctx is cancelled with ErrStopped or ErrPowerOff.
func (l *life) run(ctx context.Context) {
	defer close(l.r.done)
	for {
		o := l.once(ctx)
		if ctx.Err() != nil {
			l.end(ctx, o)
			return
		}
		if o.skipped {
			l.log("systemd", l.u.name+": Skipped due to 'exec-condition'.")
			l.set(func(u *service) { u.active, u.sub, u.result, u.current = stateInactive, "dead", "exec-condition", nil })
			l.finishStart(nil)
			return
		}
		restart := l.wantsRestart(o)
		if o.result != "success" {
			l.log("systemd", fmt.Sprintf("%s: Failed with result '%s'.", l.u.name, o.result))
		} else {
			l.log("systemd", l.u.name+": Deactivated successfully.")
		}
		if !restart {
			l.set(func(u *service) {
				u.active, u.sub, u.result, u.current, u.pid = stateInactive, "dead", o.result, nil, 0
				if o.result != "success" {
					u.active, u.sub = stateFailed, "failed"
				}
			})
			l.finishStart(l.startError(o))
			return
		}
		l.set(func(u *service) { u.active, u.sub, u.result, u.pid = stateActivating, "auto-restart", o.result, 0 })
		l.finishStart(l.startError(o))
		if !pause(ctx, l.d.restartDelay) {
			l.end(ctx, o)
			return
		}
		restarts := 0
		l.set(func(u *service) {
			u.restarts++
			restarts, l.d = u.restarts, u.def
		})
		l.log("systemd", fmt.Sprintf("%s: Scheduled restart job, restart counter is at %d.", l.u.name, restarts))
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// end is the last act of a unit that was stopped or lost its power.
func (l *life) end(ctx context.Context, o outcome) {
	if errors.Is(context.Cause(ctx), ErrPowerOff) {
		l.set(func(u *service) { u.active, u.sub, u.current, u.pid = stateInactive, "dead", nil, 0 })
		l.finishStart(ErrPowerOff)
		return
	}
	l.log("systemd", "Stopped "+l.d.description+".")
	l.set(func(u *service) {
		u.active, u.sub, u.result, u.current, u.pid = stateInactive, "dead", "success", nil, 0
		if o.result == "timeout" {
			u.active, u.sub, u.result = stateFailed, "failed", "timeout"
		}
	})
	l.finishStart(&JobError{l.u.name, fmt.Sprintf("Job for %s canceled.", l.u.name)})
}

func (l *life) wantsRestart(o outcome) bool {
	switch l.d.restart {
	case "always":
		return l.d.kind != "oneshot" || o.result != "success"
	case "on-failure", "on-abnormal", "on-abort":
		return o.result != "success"
	case "on-success":
		return o.result == "success"
	}
	return false
}

// startError is what a start job reports; nothing when the job is over already or the unit did its work.
func (l *life) startError(o outcome) error {
	if o.result == "success" {
		return nil
	}
	text := fmt.Sprintf("Job for %s failed because the control process exited with error code.", l.u.name)
	if o.result == "timeout" {
		text = fmt.Sprintf("Job for %s failed because a timeout was exceeded.", l.u.name)
	}
	return &JobError{l.u.name, text + fmt.Sprintf("\nSee \"systemctl status %s\" and \"journalctl -xeu %s\" for details.", l.u.name, l.u.name)}
}

// once starts the unit's process and waits for its end.
func (l *life) once(ctx context.Context) outcome {
	l.set(func(u *service) {
		u.invocation, u.active, u.sub = strings.ReplaceAll(randomUUID(), "-", ""), stateActivating, "start"
	})
	l.log("systemd", "Starting "+l.d.description+"...")
	for _, line := range l.d.condition {
		switch code := l.exec(ctx, line); {
		case code == 0:
		case code > 0 && code < 255:
			return outcome{result: "exec-condition", code: code, skipped: true}
		default:
			return outcome{result: "exit-code", code: code}
		}
	}
	for _, line := range l.d.startPre {
		if code := l.exec(ctx, line); code != 0 && !line.ignore {
			o := outcome{result: "exit-code", code: code}
			l.after(ctx, o)
			return o
		}
	}
	o := l.main(ctx)
	l.after(ctx, o)
	return o
}

// after runs ExecStopPost, unless the power is gone.
func (l *life) after(ctx context.Context, _ outcome) {
	if errors.Is(context.Cause(ctx), ErrPowerOff) {
		return
	}
	for _, line := range l.d.stopPost {
		l.exec(l.s.machine.powerContext(), line)
	}
}

// main runs ExecStart and follows it: simple units are active at once, notify units when they say so, oneshot units
// when the process has ended well.
func (l *life) main(ctx context.Context) outcome {
	ready := make(chan struct{})
	var once sync.Once
	notify := func() { once.Do(func() { close(ready) }) }
	if l.d.kind == "simple" || l.d.kind == "exec" || l.d.kind == "idle" || l.d.kind == "forking" {
		notify()
	}
	exited := make(chan int, 1)
	mainCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(ErrStopped)
	pid := nextPid()
	l.set(func(u *service) { u.pid = pid })
	go func() {
		code := 0
		for _, line := range l.d.start {
			if code = l.execNotifying(mainCtx, line, notify); code != 0 && !line.ignore {
				break
			}
		}
		exited <- code
	}()
	var timeout <-chan time.Time
	if l.d.startTimeout > 0 {
		t := time.NewTimer(l.d.startTimeout)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-ready:
		l.becomeActive(ctx, "running")
		return l.ended(ctx, <-exited)
	case code := <-exited:
		return l.endedEarly(ctx, code)
	case <-timeout:
		l.log("systemd", l.u.name+": start operation timed out. Terminating.")
		cancel(ErrStopped)
		<-exited
		return outcome{result: "timeout"}
	}
}

func (l *life) becomeActive(ctx context.Context, sub string) {
	for _, line := range l.d.startPost {
		l.exec(ctx, line)
	}
	l.set(func(u *service) {
		if l.r.stopping {
			return
		}
		u.active, u.sub, u.result, u.activeSince = stateActive, sub, "success", time.Now()
	})
	l.log("systemd", "Started "+l.d.description+".")
	l.finishStart(nil)
}

// endedEarly is for a process that ended before it was ready: right for oneshot units, wrong for others.
func (l *life) endedEarly(ctx context.Context, code int) outcome {
	l.set(func(u *service) { u.exitStatus, u.pid = code, 0 })
	switch {
	case ctx.Err() != nil:
		return outcome{result: "success", code: code}
	case l.d.kind != "oneshot" && code == 0:
		return outcome{result: "protocol"}
	case code != 0:
		l.log("systemd", fmt.Sprintf("%s: Main process exited, code=exited, status=%d/FAILURE", l.u.name, code))
		return outcome{result: "exit-code", code: code}
	case l.d.remain:
		l.becomeActive(ctx, "exited")
		<-ctx.Done()
		for _, line := range l.d.stop {
			l.exec(l.s.machine.powerContext(), line)
		}
	}
	return outcome{result: "success"}
}

func (l *life) ended(ctx context.Context, code int) outcome {
	l.set(func(u *service) { u.exitStatus, u.pid = code, 0 })
	if ctx.Err() != nil || code == 0 {
		return outcome{result: "success", code: code}
	}
	l.log("systemd", fmt.Sprintf("%s: Main process exited, code=exited, status=%d/FAILURE", l.u.name, code))
	return outcome{result: "exit-code", code: code}
}

func (l *life) exec(ctx context.Context, line execLine) int {
	return l.execNotifying(ctx, line, func() {})
}

// execNotifying runs one command of the unit with its output in the journal.
func (l *life) execNotifying(ctx context.Context, line execLine, notify func()) int {
	m := l.s.machine
	l.s.mu.Lock()
	invocation := l.u.invocation
	l.s.mu.Unlock()
	ident := fmt.Sprintf("%s[%d]", path.Base(line.args[0]), nextPid())
	w := &journalWriter{journal: m.journal, unit: l.u.name, ident: ident, run: invocation}
	p := &Process{
		Machine: m, Args: l.expand(line.args), Env: l.environ(invocation), Dir: "/", Cred: rootCred,
		Stdin: strings.NewReader(""), Stdout: w, Stderr: w, Notify: notify, life: m.powerContext(),
	}
	if l.d.workingDir != "" {
		p.Dir = l.d.workingDir
	}
	if l.d.user != "" {
		cred, _, ok := m.cred(l.d.user)
		if !ok {
			l.log("systemd", l.u.name+": Failed to determine user credentials: No such process")
			return 217
		}
		p.Cred = cred
	}
	code := m.run(ctx, p)
	if err := w.flush(); err != nil {
		return code
	}
	return code
}

// environ is the unit's environment: systemd's own, Environment= and the files of EnvironmentFile=.
func (l *life) environ(invocation string) map[string]string {
	env := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "INVOCATION_ID": invocation,
		"HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh",
	}
	for _, assignment := range l.d.environment {
		if name, value, ok := strings.Cut(assignment, "="); ok {
			env[name] = value
		}
	}
	for _, file := range l.d.environmentFile {
		name, optional := strings.CutPrefix(file, "-")
		data, err := l.s.machine.fs.ReadFile(name)
		if err != nil {
			if !optional || !errors.Is(err, fs.ErrNotExist) {
				l.log("systemd", l.u.name+": Failed to load environment files: "+strerror(err))
			}
			continue
		}
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSpace(line)
			if key, value, ok := strings.Cut(line, "="); ok && line[0] != '#' && line[0] != ';' {
				env[strings.TrimSpace(key)] = strings.Join(splitWords(value), " ")
			}
		}
	}
	return env
}

// expand replaces $MAINPID, ${NAME} and $NAME as words of a command.
func (l *life) expand(args []string) []string {
	l.s.mu.Lock()
	pid := itoa(l.u.pid)
	l.s.mu.Unlock()
	out := make([]string, 0, len(args))
	for _, a := range args {
		out = append(out, strings.ReplaceAll(a, "$MAINPID", pid))
	}
	return out
}
