package providertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expertflow/cxha/providers"
)

// Text returns the resources with what they need, a line each: ADDRESS <- what it comes after, and NAME=ADDRESS.ATTRIBUTE for inputs.
func Text(rs map[string]providers.Resource) string {
	var b strings.Builder
	for _, addr := range slices.Sorted(maps.Keys(rs)) {
		var needs []string
		for _, e := range rs[addr].After {
			needs = append(needs, e.To.String())
		}
		for name, in := range rs[addr].Inputs {
			needs = append(needs, fmt.Sprintf("%s=%s.%s", name, in.From, in.Attr))
		}
		slices.Sort(needs)
		b.WriteString(addr)
		for i, n := range needs {
			b.WriteString([]string{" <-\n    ", "\n    "}[min(i, 1)] + n)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
