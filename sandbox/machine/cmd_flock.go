package machine

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

func lockCommands() map[string]Program {
	return map[string]Program{"flock": cmdFlock}
}

// flockRetry is how often a lock that somebody else has is tried again.
const flockRetry = 10 * time.Millisecond

// cmdFlock runs a command while it holds a lock on a file; the locks are real, so they hold between hosts with one export.
func cmdFlock(ctx context.Context, p *Process) int {
	f := p.flags()
	shared := f.BoolP("shared", "s", false, "")
	f.BoolP("exclusive", "x", false, "")
	f.BoolP("exclusively", "e", false, "")
	now := f.BoolP("nonblock", "n", false, "")
	wait := f.Float64P("timeout", "w", -1, "")
	conflict := f.IntP("conflict-exit-code", "E", 1, "")
	line := f.StringP("command", "c", "", "")
	args, ok := p.parseLeading(f)
	if !ok || len(args) == 0 {
		return 64
	}
	command := args[1:]
	if len(command) == 2 && (command[0] == "-c" || command[0] == "--command") {
		*line, command = command[1], nil
	}
	if *line != "" {
		command = []string{"/bin/sh", "-c", *line}
	}
	if len(command) == 0 {
		return p.fail("bad file descriptor: the sandbox's flock needs a command")
	}
	file, err := p.lockFile(args[0])
	if err != nil {
		p.fail("cannot open lock file %s: %s", args[0], strerror(err))
		return 66
	}
	defer closeQuietly(file)
	how := syscall.LOCK_EX
	if *shared {
		how = syscall.LOCK_SH
	}
	if *now {
		*wait = 0
	}
	if !acquire(ctx, file, how, *wait) {
		return *conflict
	}
	return p.Machine.run(ctx, p.child(command...))
}

// lockFile opens a file or directory, and makes a file that is missing.
func (p *Process) lockFile(name string) (*os.File, error) {
	file, err := p.FS().OpenFile(p.Path(name), os.O_RDONLY, 0)
	if err == nil {
		return file, nil
	}
	return p.FS().OpenFile(p.Path(name), os.O_RDONLY|os.O_CREATE, p.created(0o666))
}

// acquire takes the lock within a number of seconds; less than none: as long as it takes.
func acquire(ctx context.Context, file *os.File, how int, seconds float64) bool {
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return true
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || seconds >= 0 && !time.Now().Before(end) || !waitSeconds(ctx, flockRetry.Seconds()) {
			return false
		}
	}
}
