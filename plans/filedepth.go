package plans

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxDepth is how deep values in a plan file may lie in each other. The HCL parser calls itself at every level, and a
// program whose stack is used up cannot say what is wrong.
const maxDepth = 200

// checkDepth refuses text that would take the parser too deep: nested brackets, and chains of operators, which no plan file has.
func checkDepth(src []byte, filename string) hcl.Diagnostics {
	tokens, _ := hclsyntax.LexConfig(src, filename, hcl.InitialPos) // the parser reports what cannot be read
	depth, operators, minuses := 0, 0, 0
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenMinus && t.Type != hclsyntax.TokenNewline {
			minuses = 0
		}
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
			hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenBang, hclsyntax.TokenQuestion:
			operators++
		case hclsyntax.TokenMinus: // a plan file has negative numbers, but one sign for each
			minuses++
		}
		if depth > maxDepth || operators > maxDepth || minuses > maxDepth {
			return hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Values nested too deep",
				Detail:  "A plan file has no values that lie this deep in each other. The file is damaged; make the plan again.",
				Subject: t.Range.Ptr(),
			}}
		}
	}
	return nil
}
