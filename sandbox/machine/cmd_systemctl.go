package machine

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
)

func systemCommands() map[string]Program {
	return map[string]Program{"systemctl": cmdSystemctl, "journalctl": cmdJournalctl}
}

type systemctl struct {
	p                                    *Process
	units                                *Systemd
	noBlock, quiet, value, now, noLegend bool
	properties                           []string
	state                                string
}

// cmdSystemctl is the command; its exit codes are systemd's: 3 for a unit that is not active, 4 for one that does not exist.
func cmdSystemctl(ctx context.Context, p *Process) int {
	c := &systemctl{p: p, units: p.Machine.units}
	f := p.flags()
	f.BoolVar(&c.noBlock, "no-block", false, "")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "")
	f.BoolVar(&c.value, "value", false, "")
	f.BoolVar(&c.now, "now", false, "")
	f.BoolVar(&c.noLegend, "no-legend", false, "")
	f.StringSliceVarP(&c.properties, "property", "p", nil, "")
	f.StringVar(&c.state, "state", "", "")
	f.Bool("no-pager", false, "")
	f.BoolP("full", "l", false, "")
	f.BoolP("force", "f", false, "")
	f.BoolP("all", "a", false, "")
	f.String("type", "", "")
	f.StringP("lines", "n", "", "")
	f.Bool("plain", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	if len(args) == 0 {
		args = []string{"list-units"}
	}
	if code, done := c.query(args[0], args[1:]); done {
		return code
	}
	if !p.Cred.IsRoot() {
		return p.say("Failed to %s unit: Interactive authentication required.", args[0])
	}
	return c.change(ctx, args[0], args[1:])
}

// say prints a message without the command's name in front, as systemctl does.
func (p *Process) say(format string, args ...any) int {
	put(p.Stderr, format+"\n", args...)
	return 1
}

// query answers the verbs that change nothing; any user may ask.
func (c *systemctl) query(verb string, units []string) (code int, done bool) {
	switch verb {
	case "is-active":
		return c.eachState(units, "ActiveState", func(s string) bool { return s == stateActive }, 3), true
	case "is-failed":
		return c.eachState(units, "ActiveState", func(s string) bool { return s == stateFailed }, 1), true
	case "is-enabled":
		return c.isEnabled(units), true
	case "is-system-running":
		c.p.printf("running\n")
		return 0, true
	case "show":
		return c.show(units), true
	case "status":
		return c.status(units), true
	case "cat":
		return c.cat(units), true
	case "list-unit-files":
		return c.listFiles(units), true
	case "list-units":
		return c.listUnits(units), true
	}
	return 0, false
}

func (c *systemctl) eachState(units []string, property string, good func(string) bool, bad int) int {
	code := bad
	for _, u := range units {
		state := c.units.Properties(u)[property]
		if good(state) {
			code = 0
		}
		if !c.quiet {
			c.p.printf("%s\n", state)
		}
	}
	return code
}

func (c *systemctl) isEnabled(units []string) int {
	code := 1
	for _, u := range units {
		state := c.units.fileState(unitName(u))
		if state == "" {
			if !c.quiet {
				c.p.say("Failed to get unit file state for %s: No such file or directory", unitName(u))
			}
			continue
		}
		if state == "enabled" || state == "static" {
			code = 0
		}
		if !c.quiet {
			c.p.printf("%s\n", state)
		}
	}
	return code
}

func (c *systemctl) show(units []string) int {
	for n, u := range units {
		if n > 0 {
			c.p.printf("\n")
		}
		properties := c.units.properties(u, c.p.zone())
		names := c.properties
		if len(names) == 0 {
			names = slices.Sorted(maps.Keys(properties))
		}
		for _, name := range names {
			value, ok := properties[name]
			switch {
			case !ok:
			case c.value:
				c.p.printf("%s\n", value)
			default:
				c.p.printf("%s=%s\n", name, value)
			}
		}
	}
	return 0
}

func (c *systemctl) status(units []string) int {
	code := 0
	for _, u := range units {
		p := c.units.properties(u, c.p.zone())
		if p["LoadState"] == "not-found" {
			c.p.say("Unit %s could not be found.", unitName(u))
			return 4
		}
		c.p.printf("● %s - %s\n     Loaded: %s (%s; %s)\n     Active: %s (%s)\n", p["Id"], p["Description"],
			p["LoadState"], p["FragmentPath"], p["UnitFileState"], p["ActiveState"], p["SubState"])
		if p["ActiveState"] != stateActive {
			code = 3
		}
		entries, err := c.p.Machine.journal.read(unitName(u))
		if err != nil {
			return c.p.fail("%v", err)
		}
		c.p.printf("\n")
		for _, e := range entries[max(len(entries)-10, 0):] {
			c.p.printf("%s\n", c.p.Machine.shortEntry(e, c.p.zone()))
		}
	}
	return code
}

func (c *systemctl) cat(units []string) int {
	for _, u := range units {
		file, err := c.p.Machine.fragment(unitName(u))
		if err != nil {
			return c.p.say("No files found for %s.", unitName(u))
		}
		data, err := c.p.Machine.fs.ReadFile(file)
		if err != nil {
			return c.p.failAt(file, err)
		}
		c.p.printf("# %s\n%s", file, data)
	}
	return 0
}

func (c *systemctl) listFiles(patterns []string) int {
	names := map[string]bool{}
	for _, dir := range unitPath() {
		entries, err := c.p.Machine.fs.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if !e.IsDir() && path.Ext(e.Name()) != "" && path.Ext(e.Name()) != ".env" && matchesAny(patterns, e.Name()) {
				names[e.Name()] = true
			}
		}
	}
	count := 0
	for _, name := range slices.Sorted(maps.Keys(names)) {
		state := c.units.fileState(name)
		if c.state != "" && c.state != state || state == "" {
			continue
		}
		count++
		c.p.printf("%-40s %-10s -\n", name, state)
	}
	if !c.noLegend {
		c.p.printf("\n%d unit files listed.\n", count)
	}
	if count == 0 && len(patterns) > 0 {
		return 1
	}
	return 0
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); err == nil && ok || unitName(p) == name {
			return true
		}
	}
	return len(patterns) == 0
}

func (c *systemctl) listUnits(patterns []string) int {
	c.units.mu.Lock()
	names := slices.Sorted(maps.Keys(c.units.units))
	c.units.mu.Unlock()
	for _, name := range names {
		p := c.units.properties(name, c.p.zone())
		if matchesAny(patterns, name) && p["ActiveState"] != stateInactive && (c.state == "" || c.state == p["ActiveState"]) {
			c.p.printf("%-30s %s %s %s %s\n", name, p["LoadState"], p["ActiveState"], p["SubState"], p["Description"])
		}
	}
	return 0
}

// change runs the verbs that change something.
func (c *systemctl) change(ctx context.Context, verb string, units []string) int {
	report := func(text string) {
		if !c.quiet {
			c.p.say("%s", text)
		}
	}
	switch verb {
	case "daemon-reload", "daemon-reexec":
		c.units.DaemonReload()
		return 0
	case "reset-failed":
		if len(units) == 0 {
			c.units.ResetFailed("")
		}
	}
	do, known := map[string]func(string) error{
		"start":             func(u string) error { return c.start(ctx, u) },
		"stop":              func(u string) error { return c.stop(ctx, u) },
		"restart":           func(u string) error { return c.restart(ctx, u) },
		"try-restart":       func(u string) error { return c.tryRestart(ctx, u) },
		"reload":            func(u string) error { return c.units.Reload(ctx, u) },
		"reload-or-restart": func(u string) error { return c.reloadOrRestart(ctx, u) },
		"reset-failed":      func(u string) error { c.units.ResetFailed(u); return nil },
		"enable": func(u string) error {
			return c.andNow(c.units.Enable(u, report), func() error { return c.start(ctx, u) })
		},
		"disable": func(u string) error {
			return c.andNow(c.units.Disable(u, report), func() error { return c.stop(ctx, u) })
		},
		"mask":   func(u string) error { return c.andNow(c.units.Mask(u, report), func() error { return c.stop(ctx, u) }) },
		"unmask": func(u string) error { return c.units.Unmask(u, report) },
		"kill":   func(u string) error { return c.stop(ctx, u) },
	}[verb]
	if !known {
		return c.p.say("Unknown command verb %s.", verb)
	}
	code := 0
	for _, u := range units {
		if err := do(u); err != nil {
			code = 1
			if job, ok := errors.AsType[*JobError](err); ok {
				if strings.HasSuffix(job.Text, "not found.") || strings.HasSuffix(job.Text, "not loaded.") {
					code = 5
				}
				c.p.say("%s", job.Text)
			} else {
				c.p.say("%s", strerror(err))
			}
		}
	}
	return code
}

func (c *systemctl) start(ctx context.Context, unit string) error {
	if !c.noBlock {
		return c.units.Start(ctx, unit)
	}
	_, err := c.units.begin(unitName(unit))
	return err
}

// stop of a unit that is not there is an error, except as a part of disable --now and mask --now.
func (c *systemctl) stop(ctx context.Context, unit string) error {
	if !c.noBlock {
		return c.units.Stop(ctx, unit)
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.units.Stop(ctx, unit); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// restart with --no-block returns at once; the new life begins when the old one has ended.
func (c *systemctl) restart(ctx context.Context, unit string) error {
	if !c.noBlock {
		return c.units.Restart(ctx, unit)
	}
	m := c.p.Machine
	if _, err := m.fragment(unitName(unit)); err != nil {
		return c.start(ctx, unit) // which says what is wrong with it
	}
	if !m.enter() {
		return &JobError{unitName(unit), errNoBus}
	}
	go func() {
		defer m.leave()
		power := m.powerContext()
		if err := c.units.stopForRestart(power, unit); err != nil {
			return // the power is off
		}
		if _, err := c.units.begin(unitName(unit)); err != nil {
			(&life{s: c.units, u: &service{name: unitName(unit)}}).log("systemd", err.Error())
		}
	}()
	return nil
}

func (c *systemctl) tryRestart(ctx context.Context, unit string) error {
	if !c.units.IsActive(unit) {
		return nil
	}
	return c.restart(ctx, unit)
}

func (c *systemctl) reloadOrRestart(ctx context.Context, unit string) error {
	if err := c.units.Reload(ctx, unit); err == nil {
		return nil
	}
	return c.restart(ctx, unit)
}

func (c *systemctl) andNow(err error, do func() error) error {
	if err != nil || !c.now {
		return err
	}
	return do()
}
