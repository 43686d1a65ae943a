package plans

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// ApprovalDigest identifies what a plan removes: which resources, and what was observed of them. It is empty where the plan
// removes nothing. An approval that names it holds for exactly these removals.
func ApprovalDigest(p *Plan) string {
	var lines []string
	for _, c := range p.Changes {
		if needsApproval(c.Action, c.Reason) {
			lines = append(lines, approvalLine(c.Action, c.Addr.String(), c.Observed, c.Reason))
		}
	}
	return approvalDigest(lines)
}

// needsApproval reports whether a change takes away what nothing replaces.
func needsApproval(a Action, r Reason) bool {
	return a.Destroys() && r.Code != Superseded || r.Code == Removes
}

// ApprovalDigest is that of the plan that was written to the file.
func (f *File) ApprovalDigest() string {
	var lines []string
	for _, c := range f.Changes {
		if needsApproval(c.Action, c.Reason) {
			lines = append(lines, approvalLine(c.Action, c.Addr.String(), c.Observed, c.Reason))
		}
	}
	return approvalDigest(lines)
}

func approvalLine(a Action, addr, observed string, r Reason) string {
	line := a.String() + " " + addr + " " + observed
	if r.Code == Removes { // which parts is not in what was observed
		line += " " + r.Text
	}
	return line
}

func approvalDigest(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:6])
}
