package blueprint

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// LockFile is the name of the file beside the blueprint that holds what was agreed on: versions and digests.
const LockFile = "cxha.lock.hcl"

const lockHeader = "# Written by `cxha lock`. It belongs to the blueprint: keep it under version control, and let `cxha lock` change it.\n\n"

// FormatLock returns the content of the lock file of the blueprint in dir. The same lock gives the same bytes.
func FormatLock(l Lock, dir string) []byte {
	file := hclwrite.NewEmptyFile()
	file.Body().SetAttributeValue("rke2", cty.StringVal(l.RKE2))
	charts := slices.Clone(l.Charts)
	for i := range charts {
		charts[i].Name = lockName(charts[i].Name, dir)
	}
	slices.SortFunc(charts, func(a, b LockedChart) int { return compareCharts(a.Chart, b.Chart) })
	for _, c := range charts {
		file.Body().AppendNewline()
		body := file.Body().AppendNewBlock("chart", []string{c.Name}).Body()
		for _, a := range []struct{ name, value string }{{"repository", c.Repository}, {"version", c.Version}, {"digest", c.Digest}} {
			if a.value != "" {
				body.SetAttributeValue(a.name, cty.StringVal(a.value))
			}
		}
	}
	return append([]byte(lockHeader), hclwrite.Format(file.Bytes())...)
}

func compareCharts(a, b Chart) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Version, b.Version))
}

// lockName writes the path of a local chart relative to the blueprint, so that the lock holds on every machine.
func lockName(name, dir string) string {
	if !filepath.IsAbs(name) {
		return name
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return name
	}
	rel, err := filepath.Rel(abs, name)
	if err != nil {
		return name
	}
	if rel = filepath.ToSlash(rel); strings.HasPrefix(rel, "../") || rel == ".." || rel == "." {
		return rel
	}
	return "./" + rel
}

// chartPath is the reverse of lockName.
func chartPath(name, dir string) string {
	if schema.SourceOf(name) != schema.ChartInFiles {
		return name
	}
	path, err := environment{}.path(dir, name)
	if err != nil {
		return name
	}
	return path
}

// ParseLock reads the text of a lock file of the blueprint in dir. The filename is that of the diagnostics' ranges. The lock is nil
// if it has errors.
func ParseLock(src []byte, filename, dir string) (*Lock, hcl.Diagnostics) {
	file, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	r := &lockReader{dir: dir, seen: map[Chart]hcl.Range{}}
	r.read(file.Body.(*hclsyntax.Body))
	if r.diags = append(diags, r.diags...); r.diags.HasErrors() {
		return nil, r.diags
	}
	if abs, err := filepath.Abs(filepath.Join(dir, LockFile)); err == nil {
		r.lock.Path = abs
	}
	return &r.lock, r.diags
}

// lockReader is one run of ParseLock.
type lockReader struct {
	dir   string
	lock  Lock
	seen  map[Chart]hcl.Range // where each chart was locked
	diags hcl.Diagnostics
}

func (r *lockReader) report(at hcl.Range, summary, detail string, args ...any) {
	detail = fmt.Sprintf(detail, args...)
	r.diags = append(r.diags, mistake(at, summary, "%s Run `cxha lock` to write the file anew.", detail))
}

func (r *lockReader) read(body *hclsyntax.Body) {
	given := r.attributes(body, "the lock file", body.SrcRange, map[string]lockAttr{"rke2": {rule: &schema.Version, required: true, to: &r.lock.RKE2}})
	if !given["rke2"] {
		r.report(hcl.Range{Filename: body.SrcRange.Filename, Start: hcl.InitialPos, End: hcl.InitialPos}, "Missing attribute", "The lock file names no version of RKE2.")
	}
	for _, b := range body.Blocks {
		if b.Type != "chart" || len(b.Labels) != 1 {
			r.report(b.DefRange(), "Unknown block type", "The lock file has only blocks chart %q.", "NAME")
			continue
		}
		r.chart(b)
	}
}

func (r *lockReader) chart(b *hclsyntax.Block) {
	c := LockedChart{Chart: Chart{Name: b.Labels[0]}}
	if problem := schema.Chart.Check(c.Name); problem != "" || strings.HasPrefix(c.Name, "~") {
		where := b.LabelRanges[0]
		if schema.Chart.Hides(c.Name) {
			where = hcl.Range{Filename: where.Filename, Start: hcl.InitialPos, End: hcl.InitialPos}
		}
		r.report(where, schema.Chart.Summary, "The label of a block chart is not the name of a chart. %s", problem)
		return
	}
	source := schema.SourceOf(c.Name)
	c.Name = chartPath(c.Name, r.dir)
	attrs := map[string]lockAttr{"digest": {rule: &schema.ChartDigest, required: true, to: &c.Digest}}
	if source != schema.ChartInFiles {
		attrs["version"] = lockAttr{rule: &schema.ChartVersion, required: true, to: &c.Version}
	}
	if source == schema.ChartInRepository {
		attrs["repository"] = lockAttr{rule: &schema.Repository, required: true, to: &c.Repository}
	}
	given := r.attributes(b.Body, title(b), b.DefRange(), attrs)
	for _, name := range []string{"repository", "version", "digest"} {
		if attrs[name].required && !given[name] {
			r.report(b.DefRange(), "Missing attribute", "%s has no %s.", title(b), name)
		}
	}
	for _, nested := range b.Body.Blocks {
		r.report(nested.DefRange(), "Unknown block type", "There are no blocks in %s.", title(b))
	}
	if prev, dup := r.seen[c.Chart]; dup {
		r.report(b.DefRange(), "Declared twice", "%s was already locked at %s.", title(b), at(prev))
	}
	r.seen[c.Chart] = b.DefRange()
	r.lock.Charts = append(r.lock.Charts, c)
}

// lockAttr is an attribute that the lock file can have, and where its value goes.
type lockAttr struct {
	rule     *schema.Rule
	required bool
	to       *string
}

// attributes reads the attributes of a body and returns which were there.
func (r *lockReader) attributes(body *hclsyntax.Body, where string, header hcl.Range, known map[string]lockAttr) map[string]bool {
	given := map[string]bool{}
	for _, a := range sortedAttrs(body) {
		as, ok := known[a.Name]
		if !ok {
			r.report(a.NameRange, "Unknown attribute", "There is no attribute %q in %s.", a.Name, where)
			continue
		}
		given[a.Name] = true
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
			r.report(a.Expr.Range(), "Wrong type", "%s of %s is no text.", a.Name, where)
			continue
		}
		if problem := as.rule.Check(v.AsString()); problem != "" {
			d := mistake(a.Expr.Range(), as.rule.Summary, "%s", problem)
			if as.rule.Hides != nil && as.rule.Hides(v.AsString()) {
				hideSource(hcl.Diagnostics{d}, header)
			}
			r.diags = append(r.diags, d)
			continue
		}
		*as.to = v.AsString()
	}
	return given
}

// readLock reads the lock file, if there is one.
func (l *loader) readLock() {
	path := filepath.Join(l.dir, LockFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		l.report(unreadable(path, err))
		return
	}
	l.bp.Sources[path] = &hcl.File{Bytes: text}
	lock, diags := ParseLock(text, path, l.dir)
	if l.opts.Relock {
		for _, d := range diags {
			d.Severity = hcl.DiagWarning
		}
	}
	l.report(diags...)
	l.bp.Lock = lock
}

// checkLock compares the lock with the cluster. Whether it has all charts, and the right bytes of them, is for those who read charts.
func (l *loader) checkLock() {
	lock := l.bp.Lock
	if lock == nil || l.opts.Relock || !l.cluster.usable("version") || lock.RKE2 == l.bp.Cluster.Version {
		return
	}
	l.report(l.cluster.mistake("version", "Version differs from the lock", "The blueprint asks for RKE2 %s, and %s has agreed on %s. If the new version is meant, run `cxha lock`, and let the change of the lock file be reviewed with it.", l.bp.Cluster.Version, filepath.Join(l.dir, LockFile), lock.RKE2))
}
