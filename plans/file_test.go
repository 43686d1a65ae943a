package plans_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

var fileOptions = plans.FileOptions{Dir: "/site/plans"}

func write(t testing.TB, p *plans.Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := plans.WriteFile(&b, p, fileOptions); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func rewrite(t testing.TB, f *plans.File) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func read(t testing.TB, src string) *plans.File {
	t.Helper()
	f, diags := plans.ReadFile([]byte(src), "test.plan")
	if diags.HasErrors() {
		t.Fatalf("%s\nin\n%s", diags, src)
	}
	return f
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join("testdata", "sample.plan.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	got := write(t, makePlan(t, sampleResources()...))
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("plan file (-want +got):\n%s", diff)
	}
	if again := write(t, makePlan(t, sampleResources()...)); again != got {
		t.Error("the same plan gave other bytes")
	}
}

func TestFileHoldsNoSecretAndNoSalt(t *testing.T) {
	t.Parallel()
	rs := []resource{{
		addr:    "worker.w1/rke2.agent_token",
		desired: obj(attrs{"token": secret("hunter2-new"), "options": obj(attrs{"pass": secret("hunter2-new"), "list": cty.ListVal([]cty.Value{secret("hunter2-new")})})}),
		live:    obj(attrs{"token": secret("hunter2-old"), "options": obj(attrs{"pass": secret("hunter2-old"), "list": cty.ListVal([]cty.Value{secret("hunter2-old"), text("x")})})}),
	}}
	got := write(t, makePlan(t, rs...))
	for _, hidden := range []string{"hunter2", salt} {
		if strings.Contains(got, hidden) {
			t.Errorf("the file holds %q:\n%s", hidden, got)
		}
	}
	if n := strings.Count(got, `"(sensitive `); n != 6 {
		t.Errorf("%d digests, want 6:\n%s", n, got)
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	p := makePlan(t, sampleResources()...)
	src := write(t, p)
	f := read(t, src)
	if diff := cmp.Diff(src, rewrite(t, f)); diff != "" {
		t.Errorf("written again (-want +got):\n%s", diff)
	}
	if f.Summary != p.Summary() || f.Cluster != "cx" || f.Blueprint != "../blueprint" {
		t.Errorf("read %+v of %s in %s", f.Summary, f.Cluster, f.Blueprint)
	}
	var order []string
	for _, c := range f.Changes {
		order = append(order, c.Action.String()+" "+c.Addr.String())
	}
	want := []string{
		`delete worker.w3/rke2.drop_in["90-old.yaml"]`, "create control_plane.cp1/rke2.token", "update control_plane.cp1/rke2.config",
		`update worker.w1/host.file["/etc/motd"]`, "update worker.w1/kube.labels", "unknown worker.w2/rke2.config",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	motd := []string{"content: hello\n -> hello ${name}\n\n  you are on \"w1\"\n", "note: two\nlines\n -> two\nlines", "owner: none -> root:root"}
	if diff := cmp.Diff(motd, lines(t, f.Changes[3].Attrs())); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

const minimal = `format = 1
cluster = "cx"
blueprint = "."
summary {
  create = 1
  update = 0
  replace = 0
  delete = 0
  unknown = 0
  unchanged = 0
}
change "worker.w1/host.sysctl" {
  action = "create"
  observed = "absent"
  after = { a = "1" }
}
`

func TestReadFileReportsFaults(t *testing.T) {
	t.Parallel()
	if _, diags := plans.ReadFile([]byte(minimal), "test.plan"); diags.HasErrors() {
		t.Fatalf("the good file: %s", diags)
	}
	change := minimal[strings.Index(minimal, `change "`):]
	tests := map[string]struct{ old, new, summary string }{
		"no HCL":                    {"cluster =", "cluster = = ", "Invalid expression"},
		"another form":              {"format = 1", "format = 2", "Unknown form of plan file"},
		"no cluster":                {`cluster = "cx"`, "", "Missing required argument"},
		"absolute blueprint":        {`blueprint = "."`, `blueprint = "/home/me"`, "Absolute path in a plan file"},
		"an attribute nobody knows": {`cluster = "cx"`, "cluster = \"cx\"\ncolour = 1", "Unsupported argument"},
		"a block nobody knows":      {"summary {", "sumary {", "Unsupported block type"},
		"bad address":               {"worker.w1/host.sysctl", "worker.w1", "Invalid address"},
		"bad action":                {`"create"`, `"explode"`, "Invalid action"},
		"an action without change":  {`"create"`, `"no-op"`, "Invalid action"},
		"no action":                 {`action = "create"`, "", "Invalid action"},
		"not observed":              {`observed = "absent"`, "", "Incomplete change"},
		"not in the change":         {`observed = "absent"`, "observed = \"absent\"\nforce = true", "Unsupported argument"},
		"attributes as a list":      {`{ a = "1" }`, `["1"]`, "Invalid expression"},
		"value of a variable":       {`{ a = "1" }`, `{ a = var.x }`, "Unknown variable"},
		"value of a function":       {`{ a = "1" }`, `{ a = file("x") }`, "Call to unknown function"},
		"a name that is no text":    {`{ a = "1" }`, `{ (null) = "1" }`, "Invalid attribute"},
		"twice":                     {change, change + change, "Resource twice in a plan file"},
		"unknown with a change":     {"change \"", "unknown \"", "Change of an unknown resource"},
		"wrong count":               {"create = 1", "create = 2", "Summary and changes disagree"},
		"bad requirement":           {`action = "create"`, "action = \"create\"\nrequires = [\"x\"]", "Invalid address"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(minimal, tt.old) {
				t.Fatalf("%q is not in the file", tt.old)
			}
			f, diags := plans.ReadFile([]byte(strings.Replace(minimal, tt.old, tt.new, 1)), "test.plan")
			if !diags.HasErrors() || f != nil {
				t.Fatal("no error")
			}
			if d := find(diags, tt.summary); d == nil || d.Subject == nil || d.Subject.Filename != "test.plan" {
				t.Errorf("diagnostics %v, want %q with its place", diags.Errs(), tt.summary)
			}
		})
	}
}

func TestReadFileEndsAtTooDeepNesting(t *testing.T) {
	t.Parallel()
	for _, deep := range []string{"[", "{a=", "f(", "-", "!", "1?1:", "\"${", "[(\n", "-\n", "!-"} {
		_, diags := plans.ReadFile([]byte("format = ("+strings.Repeat(deep, 100_000)), "test.plan")
		if find(diags, "Values nested too deep") == nil {
			t.Errorf("%s: diagnostics %v", deep, diags.Errs())
		}
	}
	numbers := `[` + strings.Repeat("-1,\n", 1000) + `]`
	if _, diags := plans.ReadFile([]byte(strings.Replace(minimal, `"1"`, numbers, 1)), "test.plan"); diags.HasErrors() {
		t.Errorf("a thousand negative numbers: %s", diags)
	}
	nested := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	if _, diags := plans.ReadFile([]byte(strings.Replace(minimal, `"1"`, nested, 1)), "test.plan"); diags.HasErrors() {
		t.Errorf("a hundred lists in each other: %s", diags)
	}
}

func find(diags hcl.Diagnostics, summary string) *hcl.Diagnostic {
	for _, d := range diags {
		if d.Summary == summary {
			return d
		}
	}
	return nil
}

func TestNewFileNeedsAWayToTheBlueprint(t *testing.T) {
	t.Parallel()
	p := makePlan(t)
	p.Blueprint = "relative"
	if _, err := plans.NewFile(p, fileOptions); err == nil || !strings.Contains(err.Error(), "blueprint relative as seen from /site/plans") {
		t.Errorf("error is %v", err)
	}
	f, err := plans.NewFile(p, plans.FileOptions{Dir: "/site", Blueprint: "/site/relative"})
	if err != nil || f.Blueprint != "relative" {
		t.Errorf("blueprint %q, error %v", f.Blueprint, err)
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestWriteFileReportsItsWriter(t *testing.T) {
	t.Parallel()
	if err := plans.WriteFile(fullDisk{}, makePlan(t), fileOptions); !errors.Is(err, errFull) {
		t.Errorf("error is %v", err)
	}
}

// FuzzReadFile checks that nothing breaks the reader, and that what it reads it writes, formatted, and reads again as the same bytes.
func FuzzReadFile(f *testing.F) {
	f.Add(minimal)
	f.Add(write(f, makePlan(f, sampleResources()...)))
	f.Add("format = known_after_apply")
	f.Add(strings.Replace(minimal, `"1"`, `[1, "x", null, { b = known_after_apply }, chomp("x\n")]`, 1))
	f.Fuzz(func(t *testing.T, src string) {
		file, diags := plans.ReadFile([]byte(src), "test.plan")
		if diags.HasErrors() {
			return
		}
		once := rewrite(t, file)
		if formatted := string(hclwrite.Format([]byte(once))); formatted != once {
			t.Errorf("written\n%s\nas the formatter has it\n%s", once, formatted)
		}
		if twice := rewrite(t, read(t, once)); once != twice {
			t.Errorf("written\n%s\nread and written again\n%s", once, twice)
		}
	})
}

// FuzzFileRoundTrip checks that plans of all kinds of values are written as the formatter would and come back as they were, and
// that a plan fits its own file.
func FuzzFileRoundTrip(f *testing.F) {
	f.Add([]byte{}, []byte{}, uint8(0))
	f.Add([]byte("\x05\x01\x00\x03\x05\x06\x07\x02\x04\x06\x08\x09\x03\x02\x01\x05\x06\x07\x08\x09"), []byte("\x06\x06\x06\x06\x06\x06\x06\x06"), uint8(2))
	f.Fuzz(func(t *testing.T, a, b []byte, kind uint8) {
		desired := (&generator{data: a, marks: true, gaps: true}).object()
		live := (&generator{data: b, marks: true}).object()
		r := resource{addr: `worker.w1/test.any["x"]`, desired: desired, live: live}
		switch kind % 3 {
		case 0:
			r.live = cty.NullVal(live.Type())
		case 1:
			r.desired = cty.NullVal(desired.Type())
		}
		p := makePlan(t, r)
		src := write(t, p)
		if formatted := string(hclwrite.Format([]byte(src))); formatted != src {
			t.Fatalf("written\n%s\nas the formatter has it\n%s", src, formatted)
		}
		file := read(t, src)
		if again := rewrite(t, file); again != src {
			t.Fatalf("written\n%s\nread and written again\n%s", src, again)
		}
		want, err := plans.NewFile(p, fileOptions)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, file, cmp.Comparer(cty.Value.RawEquals)); diff != "" {
			t.Fatalf("read (-want +got):\n%s", diff)
		}
		if v := plans.Check(file, p); len(v.Stale) > 0 || len(v.Run) != p.Summary().Total() {
			t.Fatalf("the plan does not fit its own file: %+v", v)
		}
		r.desired, r.live = p.Changes[0].After, fillUnknown(t, p.Changes[0].After)
		made := makePlan(t, r)
		if v := plans.Check(file, made); len(v.Stale) > 0 || len(v.Run) > 0 || len(v.Done) != len(file.Changes) {
			t.Fatalf("the file is not done when it was made: %+v\n%s", v, src)
		}
	})
}

func TestApprovalDigest(t *testing.T) {
	t.Parallel()
	gone := func(addr, content string) resource {
		return resource{addr: addr, desired: absent(attrs{"a": none}), live: obj(attrs{"a": secret(content)})}
	}
	update := resource{addr: "worker.w9/x.y", desired: obj(attrs{"a": text("1")}), live: obj(attrs{"a": text("2")})}
	one, two := gone("worker.w1/x.y", "one"), gone("worker.w2/x.y", "two")
	digest := func(rs ...resource) string { return plans.ApprovalDigest(makePlan(t, rs...)) }

	want := digest(one, two)
	if len(want) != 12 {
		t.Errorf("digest %q, want 12 digits", want)
	}
	if got := digest(update, two, one); got != want {
		t.Errorf("with another order and an update: %s, want %s", got, want)
	}
	if got := read(t, write(t, makePlan(t, one, update, two))).ApprovalDigest(); got != want {
		t.Errorf("of the file: %s, want %s", got, want)
	}
	if got := digest(update); got != "" {
		t.Errorf("without removals: %q, want none", got)
	}
	for name, other := range map[string]string{
		"one less":       digest(one),
		"one more":       digest(one, two, gone("worker.w3/x.y", "three")),
		"another":        digest(one, gone("worker.w3/x.y", "two")),
		"changed before": digest(one, gone("worker.w2/x.y", "changed")),
	} {
		if other == want || other == "" {
			t.Errorf("%s: %q, which is the digest of other removals", name, other)
		}
	}
	replaced := makePlan(t, update)
	replaced.Changes[0].Action = plans.Replace
	if plans.ApprovalDigest(replaced) == "" {
		t.Error("a replacement needs no approval")
	}
}

func TestSensitiveWithoutSaltHasNoDigest(t *testing.T) {
	t.Parallel()
	p := makePlan(t, resource{addr: "cluster.cx/x.y", desired: obj(attrs{"a": secret("s")}), live: absent(attrs{"a": none})})
	p.Changes[0].Salt = ""
	f := read(t, write(t, p))
	if got := schema.Plain(f.Changes[0].After[0].Value).AsString(); got != "(sensitive)" {
		t.Errorf("shown as %s", got)
	}
}
