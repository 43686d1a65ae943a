package kube

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
)

// wakeQuestion prints which of RKE2's units runs on a host, since when, and what time it is there in seconds since the epoch. The
// host's zone may have a name that is none, such as +0545, so systemd is asked to tell the time in UTC.
const wakeQuestion = `export LC_ALL=C TZ=UTC
for unit in rke2-agent rke2-server; do
  if systemctl is-active --quiet $unit.service; then
    echo "$unit"
    systemctl show -p ActiveEnterTimestamp --value $unit.service
    date +%s
  fi
done
`

// unitRuns is what wakeQuestion tells.
type unitRuns struct {
	unit string
	age  time.Duration
}

// parseUnitRuns reads the answer to wakeQuestion; an empty unit means that none runs.
func parseUnitRuns(out string) (unitRuns, error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if lines[0] == "" {
		return unitRuns{}, nil
	}
	if len(lines) != 3 {
		return unitRuns{}, fmt.Errorf("the age of RKE2's unit cannot be read from %q", out)
	}
	since, err := time.Parse("Mon 2006-01-02 15:04:05 UTC", lines[1])
	if err != nil {
		return unitRuns{}, fmt.Errorf("start of %s: %w", lines[0], err)
	}
	now, err := strconv.ParseInt(lines[2], 10, 64)
	if err != nil {
		return unitRuns{}, fmt.Errorf("clock of the host: %w", err)
	}
	return unitRuns{unit: lines[0], age: time.Unix(now, 0).Sub(since)}, nil
}

// wake restarts RKE2 on the host of a node that is not registered although its unit has been running for long: a kubelet
// registers only when it starts, so a node whose object was deleted would never come back by itself (domain.md §6.3). A
// restart of the agent leaves its containers running (domain.md §2.4). It reports whether it restarted.
func (c call) wake(ctx context.Context, name string) (bool, error) {
	host, err := c.session.Host(ctx, name)
	if err != nil {
		return false, err
	}
	reply, err := host.Run(ctx, new(shell.Script).Add("%s", shell.Raw(wakeQuestion)))
	if err != nil {
		return false, err
	}
	runs, err := parseUnitRuns(reply.Stdout)
	if err != nil {
		return false, fmt.Errorf("host %s: %w", name, err)
	}
	if runs.unit == "" || runs.age < c.options.RegisterPatience {
		return false, nil
	}
	c.progress("not registered, though %s has run for %s: it restarts", runs.unit, runs.age)
	return true, restart(ctx, host, name, runs.unit)
}

func restart(ctx context.Context, host providers.Host, name, unit string) error {
	reply, err := host.Run(ctx, new(shell.Script).Add("systemctl restart --no-block %s", unit+".service"))
	if err != nil {
		return err
	}
	if reply.Exit != 0 {
		return fmt.Errorf("host %s: restart of %s: exit code %d: %s", name, unit, reply.Exit, strings.TrimSpace(reply.Stderr))
	}
	return nil
}
