package providers

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/schema"
)

// StateDir is cxha's directory on every host: its marks, never the truth about anything else.
const StateDir = "/var/lib/cxha"

// OwnedDir holds one file per resource that cxha made on the host and that may leave the blueprint one day. The content is
// the resource's type and key, without its block, which may be renamed: host.file["/etc/motd"].
const OwnedDir = StateDir + "/owned"

// Own adds the lines that record a resource as made by cxha. They belong before the lines that make it: a run that is cut
// off between the two must not forget what it made.
func Own(s *shell.Script, addr schema.Addr) {
	s.Add("mkdir -p %s", OwnedDir)
	s.Add("printf %s %s > %s", `%s\n`, OwnedName(addr), ownedPath(addr))
}

// Disown adds the line that forgets a resource; it belongs after the lines that removed it.
func Disown(s *shell.Script, addr schema.Addr) {
	s.Add("rm -f %s", ownedPath(addr))
}

// OwnedName is what a resource's record says: its address without the block.
func OwnedName(addr schema.Addr) string {
	return schema.Addr{Type: addr.Type, Key: addr.Key}.String()[len("./"):]
}

func ownedPath(addr schema.Addr) string {
	sum := sha256.Sum256([]byte(OwnedName(addr)))
	return OwnedDir + "/" + hex.EncodeToString(sum[:8])
}

// IfOwned returns a question that is asked only where the host has the record of the resource, and prints nothing elsewhere:
// what a resource that is not in the blueprint is asked with, because what cxha did not make is not its to remove.
func IfOwned(addr schema.Addr, question string) string {
	return "[ -e " + ownedPath(addr) + " ] || exit 0\n" + question
}
