package machine

import (
	"slices"
	"strconv"
	"strings"
)

// user is one line of /etc/passwd.
type user struct {
	name, uid, gid, home, shell string
}

// users reads /etc/passwd.
func (m *Machine) users() []user {
	var list []user
	for _, f := range m.colonFile("/etc/passwd", 7) {
		list = append(list, user{name: f[0], uid: f[2], gid: f[3], home: f[5], shell: f[6]})
	}
	return list
}

// group is one line of /etc/group.
type group struct {
	name, gid string
	members   []string
}

func (m *Machine) groups() []group {
	var list []group
	for _, f := range m.colonFile("/etc/group", 4) {
		members := slices.DeleteFunc(strings.Split(f[3], ","), func(s string) bool { return s == "" })
		list = append(list, group{name: f[0], gid: f[2], members: members})
	}
	return list
}

// colonFile splits the lines of a file of the passwd family; a host without the file has no users.
func (m *Machine) colonFile(name string, fields int) [][]string {
	data, err := m.fs.ReadFile(name)
	if err != nil {
		return nil
	}
	var lines [][]string
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == fields {
			lines = append(lines, f)
		}
	}
	return lines
}

func (m *Machine) user(nameOrID string) (user, bool) {
	for _, u := range m.users() {
		if u.name == nameOrID || u.uid == nameOrID {
			return u, true
		}
	}
	return user{}, false
}

func (m *Machine) group(nameOrID string) (group, bool) {
	for _, g := range m.groups() {
		if g.name == nameOrID || g.gid == nameOrID {
			return g, true
		}
	}
	return group{}, false
}

// cred is the user with all groups; ok is false for a user the host does not know.
func (m *Machine) cred(name string) (c Cred, u user, ok bool) {
	u, ok = m.user(name)
	if !ok {
		return Cred{}, user{}, false
	}
	c = Cred{User: u.name}
	if g, ok := m.group(u.gid); ok {
		c.Groups = append(c.Groups, g.name)
	}
	for _, g := range m.groups() {
		if slices.Contains(g.members, u.name) && !slices.Contains(c.Groups, g.name) {
			c.Groups = append(c.Groups, g.name)
		}
	}
	return c, u, true
}

// ids are the numbers of a user and its primary group; a name that is a number is its own id.
func (m *Machine) ids(c Cred) (uid, gid string) {
	return m.uid(c.User), m.gid(c.Group())
}

func (m *Machine) uid(name string) string {
	if u, ok := m.user(name); ok {
		return u.uid
	}
	return numberOr(name, "65534")
}

func (m *Machine) gid(name string) string {
	if g, ok := m.group(name); ok {
		return g.gid
	}
	return numberOr(name, "65534")
}

func numberOr(s, otherwise string) string {
	if _, err := strconv.ParseUint(s, 10, 32); err == nil {
		return s
	}
	return otherwise
}

// loginEnv is the environment that sshd and sudo give to a user's commands.
func loginEnv(u user) map[string]string {
	path := "/usr/local/bin:/usr/bin:/bin:/usr/games"
	if u.uid == "0" {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	return map[string]string{
		"HOME": u.home, "LOGNAME": u.name, "USER": u.name, "SHELL": u.shell, "PATH": path, "LANG": "C.UTF-8",
	}
}
