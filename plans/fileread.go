package plans

import (
	"fmt"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/expertflow/cxha/schema"
)

// ReadFile reads what WriteFile writes. Diagnostics carry ranges in filename.
func ReadFile(src []byte, filename string) (*File, hcl.Diagnostics) {
	if diags := checkDepth(src, filename); diags.HasErrors() {
		return nil, diags
	}
	parsed, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	var root fileBody
	content, diags := parsed.Body.Content(fileSchema)
	r := &fileReader{seen: map[schema.Addr]bool{}, diags: append(diags, gohcl.DecodeBody(parsed.Body, nil, &root)...)}
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	if root.Format != FileFormat {
		r.fail(content.Attributes["format"].Expr.Range(), "Unknown form of plan file",
			"The file has form %d; this cxha reads form %d. Make the plan again with this cxha.", root.Format, FileFormat)
		return nil, r.diags
	}
	f := &File{Cluster: root.Cluster, Blueprint: root.Blueprint, Summary: root.Summary.summary()}
	if path.IsAbs(f.Blueprint) {
		r.fail(content.Attributes["blueprint"].Expr.Range(), "Absolute path in a plan file",
			"The blueprint is %q, but a plan file names it relative to itself. Make the plan again.", f.Blueprint)
	}
	for _, block := range content.Blocks {
		if block.Type != "summary" {
			f.Changes = append(f.Changes, r.change(block))
		}
	}
	if !r.diags.HasErrors() {
		r.checkSummary(f, content)
	}
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	return f, r.diags
}

// fileSchema lists all that may be in a file; what must be there, fileBody says.
var fileSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "format"}, {Name: "cluster"}, {Name: "blueprint"}},
	Blocks: []hcl.BlockHeaderSchema{{Type: "summary"}, {Type: "change", LabelNames: []string{"address"}},
		{Type: "unknown", LabelNames: []string{"address"}}},
}

type fileBody struct {
	Format    int         `hcl:"format"`
	Cluster   string      `hcl:"cluster"`
	Blueprint string      `hcl:"blueprint"`
	Summary   summaryBody `hcl:"summary,block"`
	Rest      hcl.Body    `hcl:",remain"`
}

type summaryBody struct {
	Create    int `hcl:"create"`
	Update    int `hcl:"update"`
	Replace   int `hcl:"replace"`
	Delete    int `hcl:"delete"`
	Unknown   int `hcl:"unknown"`
	Unchanged int `hcl:"unchanged"`
}

func (s summaryBody) summary() Summary {
	return Summary(s)
}

// blockBody is the body of a change, and of an unknown, which has only the first three attributes.
type blockBody struct {
	Host     string         `hcl:"host,optional"`
	Code     string         `hcl:"code,optional"`
	Reason   string         `hcl:"reason,optional"`
	Action   string         `hcl:"action,optional"`
	Observed string         `hcl:"observed,optional"`
	Planned  string         `hcl:"planned,optional"`
	Requires []string       `hcl:"requires,optional"`
	Before   hcl.Expression `hcl:"before,optional"`
	After    hcl.Expression `hcl:"after,optional"`
}

type fileReader struct {
	seen  map[schema.Addr]bool
	diags hcl.Diagnostics
}

func (r *fileReader) fail(at hcl.Range, summary, detail string, args ...any) {
	r.diags = append(r.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: at.Ptr()})
}

func (r *fileReader) change(block *hcl.Block) FileChange {
	var body blockBody
	r.diags = append(r.diags, gohcl.DecodeBody(block.Body, nil, &body)...)
	c := FileChange{
		Host: body.Host, Action: Unknown, Reason: Reason{Code: ReasonCode(body.Code), Text: body.Reason},
		Observed: body.Observed, Planned: body.Planned, Addr: r.addr(block.Labels[0], block.LabelRanges[0]),
	}
	if r.seen[c.Addr] {
		r.fail(block.LabelRanges[0], "Resource twice in a plan file", "%s is in the file twice. Make the plan again.", c.Addr)
	}
	r.seen[c.Addr] = true
	for _, a := range body.Requires {
		c.Requires = append(c.Requires, r.addr(a, block.DefRange))
	}
	c.Before, c.After = r.attrs(body.Before), r.attrs(body.After)
	if block.Type == "change" {
		c.Action = r.action(body.Action, block.DefRange)
		if c.Observed == "" {
			r.fail(block.DefRange, "Incomplete change", "%s does not say what was observed, so nobody can tell whether it still fits. Make the plan again.", c.Addr)
		}
	} else if body.Action != "" || len(c.Before)+len(c.After)+len(c.Requires) > 0 || c.Observed+c.Planned != "" {
		r.fail(block.DefRange, "Change of an unknown resource", "The state of %s is not known, so the file cannot say what changes. Make the plan again.", c.Addr)
	}
	return c
}

func (r *fileReader) addr(s string, at hcl.Range) schema.Addr {
	a, err := schema.ParseAddr(s)
	if err != nil {
		r.fail(at, "Invalid address", "%s.", err)
	}
	return a
}

func (r *fileReader) action(s string, at hcl.Range) Action {
	a, err := ParseAction(s)
	if err == nil && !a.Changes() {
		err = fmt.Errorf("action %q: want create, update, replace or delete", s)
	}
	if err != nil {
		r.fail(at, "Invalid action", "%s.", err)
	}
	return a
}

// valueContext holds all that values in a plan file may use.
var valueContext = &hcl.EvalContext{
	Variables: map[string]cty.Value{knownAfterApply: cty.DynamicVal},
	Functions: map[string]function.Function{"chomp": stdlib.ChompFunc},
}

// attrs reads before or after. The order of the file stays.
func (r *fileReader) attrs(expr hcl.Expression) []FileAttr {
	if expr == nil || isNullLiteral(expr) {
		return nil
	}
	pairs, diags := hcl.ExprMap(expr)
	r.diags = append(r.diags, diags...)
	var attrs []FileAttr
	for _, pair := range pairs {
		key, keyDiags := pair.Key.Value(nil)
		value, valueDiags := pair.Value.Value(valueContext)
		r.diags = append(append(r.diags, keyDiags...), valueDiags...)
		if keyDiags.HasErrors() || valueDiags.HasErrors() {
			continue
		}
		if !key.IsKnown() || key.IsNull() || key.Type() != cty.String || key.AsString() == "" {
			r.fail(pair.Key.Range(), "Invalid attribute", "An attribute is named by its path, a text.")
			continue
		}
		shown, err := fileValue(value, "")
		if err != nil {
			r.fail(pair.Value.Range(), "Invalid value", "%s.", err)
			continue
		}
		attrs = append(attrs, FileAttr{Path: key.AsString(), Value: shown})
	}
	return attrs
}

// isNullLiteral tells what gohcl gives for an attribute that is not there.
func isNullLiteral(expr hcl.Expression) bool {
	v, diags := expr.Value(nil)
	return !diags.HasErrors() && v.IsKnown() && v.IsNull()
}

// checkSummary fails where the counts are not those of the blocks, as after a bad merge.
func (r *fileReader) checkSummary(f *File, content *hcl.BodyContent) {
	p := Plan{}
	for _, c := range f.Changes {
		p.Changes = append(p.Changes, Change{Action: c.Action})
	}
	want := p.Summary()
	want.Unchanged = f.Summary.Unchanged
	if want == f.Summary {
		return
	}
	var wrong []string
	for i, c := range want.counts() {
		if said := *f.Summary.counts()[i].n; said != *c.n {
			wrong = append(wrong, fmt.Sprintf("%s is %d, but there are %d", c.name, said, *c.n))
		}
	}
	r.fail(content.Blocks.OfType("summary")[0].DefRange, "Summary and changes disagree",
		"In the summary, %s. The file was edited, or merged badly. Make the plan again.", strings.Join(wrong, "; "))
}
