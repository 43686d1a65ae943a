package machine

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// cmdNetworkManager is NetworkManager: a daemon that does nothing, and --print-config, which prints what its files say together. Of
// their settings the sandbox knows the list of unmanaged devices.
func cmdNetworkManager(ctx context.Context, p *Process) int {
	if !slices.Contains(p.Args[1:], "--print-config") {
		return idle(ctx, p)
	}
	var devices []string
	for _, dir := range []string{"/usr/lib/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/etc/NetworkManager/conf.d"} {
		entries, err := p.FS().ReadDir(dir)
		if err != nil {
			continue // there need not be any of them
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".conf") {
				continue
			}
			text, err := p.FS().ReadFile(path.Join(dir, e.Name()))
			if err != nil {
				put(p.Stderr, "Failed to read configuration: %v\n", fmt.Errorf("%s: %s", e.Name(), strerror(err)))
				return 1
			}
			devices = unmanagedDevices(devices, string(text))
		}
	}
	p.printf("# NetworkManager configuration: /etc/NetworkManager/NetworkManager.conf\n\n[main]\nplugins=keyfile\n\n[keyfile]\n")
	if len(devices) > 0 {
		p.printf("unmanaged-devices=%s\n", strings.Join(devices, ","))
	}
	return 0
}

// unmanagedDevices is the list after a file was read: a key may end with + or -, as NetworkManager.conf(5) has it.
func unmanagedDevices(before []string, text string) []string {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		list := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ';' })
		if section != "[keyfile]" {
			continue
		}
		switch strings.TrimSpace(key) {
		case "unmanaged-devices":
			before = list
		case "unmanaged-devices+":
			before = append(slices.Clone(before), list...)
		case "unmanaged-devices-":
			before = slices.DeleteFunc(slices.Clone(before), func(d string) bool { return slices.Contains(list, d) })
		}
	}
	return before
}
