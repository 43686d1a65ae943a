package host

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/providers/footprint"
)

// bootFilesQuestion is sh text that prints what systemd-sysctl reads at every boot (sysctl.d(5)): the files' names, where a link leads,
// and the lines that set something.
const bootFilesQuestion = `set -- /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf
for cxha_conf; do
  [ -e "$cxha_conf" ] || continue
  echo "boot=$cxha_conf"
  [ ! -L "$cxha_conf" ] || echo "link=$(readlink "$cxha_conf")"
done
grep -s = /dev/null "$@" | sed 's/^/set=/'
`

// bootFile is a file of sysctl.d.
type bootFile struct {
	path, link string
	lines      []string
}

// Notes tells which settings will be others after the next boot, because a file is read after cxha's that sets them too. A glob
// in such a file does not count: a setting that is named wins over it.
func (sysctl) Notes(r providers.Resource, reply providers.Reply) []string {
	pairs, err := answer.Pairs(reply.Stdout)
	if err != nil {
		return nil // Answer tells of it
	}
	files := bootFiles(pairs)
	var notes []string
	want := settings(r.Desired)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		f, value := winner(files, key)
		if f == nil || value == fields(want[key]) {
			continue
		}
		name := f.path
		if f.link != "" {
			name += " (a link to " + f.link + ")"
		}
		notes = append(notes, fmt.Sprintf("%s will be %q after the next boot of %s, and not %q: %s is read after %s and sets it. "+
			"Take the line out there, or give the setting its value in the blueprint's sysctl.", key, value, r.Host, want[key], name, path.Base(footprint.SysctlFile)))
	}
	return notes
}

// bootFiles returns the files in the order in which they are read. Of files with one name only the first one counts, which may be a
// link to /dev/null.
func bootFiles(pairs []answer.Pair) []*bootFile {
	byName := map[string]*bootFile{}
	var last *bootFile
	for _, p := range pairs {
		switch p.Key {
		case "boot":
			last = &bootFile{path: p.Value}
			if name := path.Base(p.Value); byName[name] == nil {
				byName[name] = last
			}
		case "link":
			if last != nil && last.path != "" {
				last.link = p.Value
			}
		case "set":
			for _, f := range byName {
				if line, ok := strings.CutPrefix(p.Value, f.path+":"); ok {
					f.lines = append(f.lines, line)
				}
			}
		}
	}
	var files []*bootFile
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		files = append(files, byName[name])
	}
	return files
}

// winner returns the last file after cxha's that sets the key, and the value that it gives; nil where none does.
func winner(files []*bootFile, key string) (*bootFile, string) {
	var by *bootFile
	value := ""
	for _, f := range files {
		if path.Base(f.path) <= path.Base(footprint.SysctlFile) {
			continue
		}
		for _, line := range f.lines {
			set := map[string]string{}
			readSetting(set, line)
			for other, v := range set {
				if sameSetting(other) == sameSetting(key) {
					by, value = f, v
				}
			}
		}
	}
	return by, value
}

// sameSetting returns the path of a setting; the two that the kernel keeps as one have one.
func sameSetting(key string) string {
	if p := procPath(key); p != "/proc/sys/net/ipv4/conf/all/forwarding" {
		return p
	}
	return "/proc/sys/net/ipv4/ip_forward"
}
