package host

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/footprint"
	"github.com/expertflow/cxha/providers/hostfile"
)

// unmanagedQuestion is sh text that prints the devices that NetworkManager leaves alone by all its files together, and the lines of
// files about it that it may read after cxha's.
const unmanagedQuestion = `if cxha_config=$(timeout 20 NetworkManager --print-config 2> /dev/null); then
  echo config=
  printf '%s\n' "$cxha_config" | sed -n 's/^unmanaged-devices=/devices=/p'
fi
grep -s '^[[:space:]]*unmanaged-devices[[:space:]]*[-+]*=' /dev/null /etc/NetworkManager/conf.d/*.conf /var/lib/NetworkManager/NetworkManager-intern.conf | sed 's/^/line=/'
`

// unmanaged is what unmanagedQuestion prints.
type unmanaged struct {
	known   bool     // NetworkManager told its configuration
	devices []string // that it leaves alone
	later   []unmanagedLine
}

// unmanagedLine is a line about unmanaged devices in a file that is read after cxha's.
type unmanagedLine struct {
	file    string
	op      byte // '=' replaces the list, '+' adds to it, '-' takes from it
	devices []string
}

func readUnmanaged(lines []string) unmanaged {
	var u unmanaged
	for _, line := range lines {
		switch key, value, _ := strings.Cut(line, "="); key {
		case "config":
			u.known = true
		case "devices":
			u.devices = splitDevices(value)
		case "line":
			file, text, _ := strings.Cut(value, ":")
			name, devices, _ := strings.Cut(text, "=")
			l := unmanagedLine{file: file, op: '=', devices: splitDevices(devices)}
			if name = strings.TrimSpace(name); strings.HasSuffix(name, "+") || strings.HasSuffix(name, "-") {
				l.op = name[len(name)-1]
			}
			if path.Dir(file) != path.Dir(footprint.NetworkManagerFile) || path.Base(file) > path.Base(footprint.NetworkManagerFile) {
				u.later = append(u.later, l)
			}
		}
	}
	return u
}

// expected is the list of devices that cxha's file and those after it make.
func (u unmanaged) expected() []string {
	list := slices.Clone(cniDevices)
	for _, l := range u.later {
		switch l.op {
		case '=':
			list = l.devices
		case '+':
			list = append(list, l.devices...)
		case '-':
			list = slices.DeleteFunc(slices.Clone(list), func(d string) bool { return slices.Contains(l.devices, d) })
		}
	}
	return list
}

// splitDevices divides a list as NetworkManager does, by commas and semicolons.
func splitDevices(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' })
}

// managed returns those of the CNI's devices that are not in a list of devices to be left alone.
func managed(list []string) []string {
	var missing []string
	for _, d := range cniDevices {
		all := slices.Contains(list, "*") && !slices.Contains(list, "except:"+d)
		if !all && !slices.Contains(list, d) {
			missing = append(missing, d)
		}
	}
	return missing
}

// Notes tells that NetworkManager will manage interfaces of the CNI in spite of cxha's file, because of another one.
func (networkManager) Notes(r providers.Resource, reply providers.Reply) []string {
	lines := strings.Split(strings.TrimRight(reply.Stdout, "\n"), "\n")
	if len(lines) < 2 || lines[0] == "LoadState=not-found" || r.Desired.IsNull() {
		return nil
	}
	file, err := hostfile.ParseState(lines[1])
	if err != nil {
		return nil // Answer tells of it
	}
	u := readUnmanaged(lines[2:])
	list := u.expected()
	if u.known && string(file.Content) == stringAttr(r.Desired, "content") {
		list = u.devices
	}
	missing := managed(list)
	if len(missing) == 0 {
		return nil
	}
	by := "another file"
	if len(u.later) > 0 {
		by = u.later[len(u.later)-1].file
	}
	return []string{fmt.Sprintf("NetworkManager of %s manages interfaces that the CNI makes (%s), although %s says otherwise: %s is read after it and sets unmanaged-devices. "+
		"Take the line out there, or add to the list by unmanaged-devices+=.", r.Host, strings.Join(missing, ", "), footprint.NetworkManagerFile, by)}
}
