package machine

import (
	"io/fs"
	"slices"
)

// Cred is the user a process runs as, by names as in /etc/passwd and /etc/group.
type Cred struct {
	User   string
	Groups []string // the first is the primary group
}

// Root is the user that may do everything.
var rootCred = Cred{User: "root", Groups: []string{"root"}}

// IsRoot tells whether the user bypasses permissions.
func (c Cred) IsRoot() bool { return c.User == "root" }

// Group is the primary group.
func (c Cred) Group() string {
	if len(c.Groups) == 0 {
		return "nogroup"
	}
	return c.Groups[0]
}

// may tells whether the user has all rights in want (4 read, 2 write, 1 execute or search) on a file.
func (c Cred) may(i *Info, want fs.FileMode) bool {
	perm := i.Mode().Perm()
	if c.IsRoot() {
		// Root may read and write anything, but executes only what somebody may execute.
		return want&1 == 0 || i.IsDir() || perm&0o111 != 0
	}
	shift := 0
	switch {
	case i.User == c.User:
		shift = 6
	case slices.Contains(c.Groups, i.Group):
		shift = 3
	}
	return perm>>shift&want == want
}
