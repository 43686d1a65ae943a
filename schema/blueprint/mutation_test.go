package blueprint_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/expertflow/cxha/schema/blueprint"
)

// TestOneSlipIsOneDiagnostic takes a letter out of every word of the example, one at a time: each slip is reported, and nothing
// that only results from it.
func TestOneSlipIsOneDiagnostic(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{"example": example, "workloads": workloads} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slipInEveryWord(t, source)
		})
	}
}

func slipInEveryWord(t *testing.T, source string) {
	const file = "main.cxha.hcl"
	files := directory(t, source)
	text := files[file]
	tokens, diags := hclsyntax.LexConfig(text, file, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	slips := 0
	for _, token := range tokens {
		if token.Type != hclsyntax.TokenIdent || len(token.Bytes) < 3 {
			continue
		}
		slips++
		at := token.Range.Start.Byte + len(token.Bytes)/2
		slipped := slices.Concat(text[:at], text[at+1:])
		dir := copyWith(t, files, file, slipped)
		bp, diags := blueprint.Load(dir, blueprint.LoadOptions{Env: home})
		if len(diags) != 1 {
			t.Errorf("%s without its letter %d: %d diagnostics\n%s", token.Bytes, len(token.Bytes)/2+1, len(diags), render(t, dir, bp, diags))
		}
	}
	if slips < 30 {
		t.Errorf("only %d words were tried", slips)
	}
}

// workloads is a blueprint with every block that puts objects into the cluster.
const workloads = "testdata/workloads"

// copyWith writes files with another text for one of them.
func copyWith(t *testing.T, files map[string][]byte, file string, text []byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, src := range files {
		writeFile(t, filepath.Join(dir, name), src)
	}
	writeFile(t, filepath.Join(dir, file), text)
	return dir
}

// TestOneLostCharacterIsOneDiagnostic takes single characters out of the example: brackets, quotes, digits, letters. What breaks
// the syntax must not make the rest of the file a mistake.
func TestOneLostCharacterIsOneDiagnostic(t *testing.T) {
	t.Parallel()
	const every = 5 // all of them hold; the tests need not take that long
	for _, c := range []struct{ source, file string }{{example, "main.cxha.hcl"}, {example, "variables.cxha.hcl"}, {workloads, "main.cxha.hcl"}} {
		t.Run(c.source+"/"+c.file, func(t *testing.T) {
			t.Parallel()
			files := directory(t, c.source)
			text := files[c.file]
			refused := 0
			for i := 0; i < len(text); i += every {
				dir := copyWith(t, files, c.file, slices.Concat(text[:i], text[i+1:]))
				bp, diags := blueprint.Load(dir, blueprint.LoadOptions{Env: home})
				refused += len(diags)
				if len(diags) > 1 {
					t.Errorf("%s without byte %d, %q: %d diagnostics\n%s", c.file, i, text[i], len(diags), render(t, dir, bp, diags))
				}
			}
			if refused < len(text)/every/4 {
				t.Errorf("only %d mistakes were found", refused)
			}
		})
	}
}
