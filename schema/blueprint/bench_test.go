package blueprint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/expertflow/cxha/schema/blueprint"
)

// BenchmarkLoad loads a blueprint of 1,000 workers, made by for_each and written out. design.md §6 has 0.1 s for the whole plan.
func BenchmarkLoad(b *testing.B) {
	const workers = 1000
	base, err := os.ReadFile("testdata/base.hcl")
	if err != nil {
		b.Fatal(err)
	}
	base = []byte(strings.ReplaceAll(string(base), `subnets = ["10.10.2.0/24"]`, `subnets = ["10.20.0.0/16"]`))
	var written, forEach strings.Builder
	forEach.WriteString("worker \"many\" {\n  for_each = local.workers\n  address  = each.value.address\n  site     = each.value.site\n  labels   = { tier = \"app\" }\n}\nlocals {\n  workers = {\n")
	for i := range workers {
		fmt.Fprintf(&forEach, "    n%d = { address = \"10.20.%d.%d\", site = \"b\" }\n", i, i/200, i%200)
		fmt.Fprintf(&written, "worker \"n%d\" {\n  address = \"10.20.%d.%d\"\n  site    = site.b\n  labels  = { tier = \"app\" }\n}\n", i, i/200, i%200)
	}
	forEach.WriteString("  }\n}\n")
	for name, text := range map[string]string{"for_each": forEach.String(), "written": written.String()} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "main.cxha.hcl"), append(base, text...), 0o600); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				bp, diags := blueprint.Load(dir, blueprint.LoadOptions{})
				if diags.HasErrors() || len(bp.Workers) != workers+1 {
					b.Fatalf("%d workers: %v", len(bp.Workers), diags)
				}
			}
		})
	}
}
