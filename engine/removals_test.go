package engine_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// objectsOf is a provider of objects that are removed last. It only declares.
type objectsOf []providers.Resource

func (o objectsOf) Kinds() []providers.Kind { return []providers.Kind{objectsKind{}} }

func (o objectsOf) Compile(*blueprint.Blueprint) ([]providers.Resource, hcl.Diagnostics) {
	return o, nil
}

type objectsKind struct{}

func (objectsKind) Type() providers.Type {
	return providers.Type{Name: "test.object", Object: objectType, RemoveLast: true, Cost: 1}
}

var objectType = cty.Object(map[string]cty.Type{"text": cty.String})

func object(block, key string) schema.Addr {
	return schema.Addr{Block: schema.BlockAddr{Type: "manifest", Name: block}, Type: "test.object", Key: key}
}

func objectText(text string) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"text": cty.StringVal(text)})
}

// scene is a blueprint's objects and what a probe saw.
type scene struct {
	objects   objectsOf
	dependsOn map[string]string // by block: the block in its depends_on
	snap      engine.Snapshot
}

func newScene() *scene {
	return &scene{snap: engine.Snapshot{Live: map[schema.Addr]providers.Live{}, Hosts: map[string]engine.HostState{}}}
}

// desired adds an object of the blueprint that is live in an older form.
func (s *scene) desired(a schema.Addr, l providers.Live, after ...schema.Addr) {
	r := providers.Resource{Addr: a, Desired: objectText("new")}
	for _, to := range after {
		r.After = append(r.After, providers.Edge{To: to})
	}
	s.objects = append(s.objects, r)
	if l.Value == cty.NilVal {
		l.Value = objectText("old")
	}
	s.snap.Live[a] = l
}

// gone adds an object that is live and not in the blueprint.
func (s *scene) gone(a schema.Addr, l providers.Live) *providers.Resource {
	s.snap.Found = append(s.snap.Found, providers.Resource{Addr: a, Desired: cty.NullVal(objectType)})
	l.Value = objectText("old")
	s.snap.Live[a] = l
	return &s.snap.Found[len(s.snap.Found)-1]
}

func (s *scene) plan(t *testing.T) (*plans.Plan, hcl.Diagnostics) {
	t.Helper()
	reg, err := providers.NewRegistry(s.objects)
	if err != nil {
		t.Fatal(err)
	}
	bp := newWorld(t).blueprint()
	for from, to := range s.dependsOn {
		bp.Manifests = append(bp.Manifests, blueprint.Manifest{Common: blueprint.Common{
			Addr: schema.BlockAddr{Type: "manifest", Name: from}, DependsOn: []blueprint.Ref{{To: schema.BlockAddr{Type: "manifest", Name: to}}},
		}})
	}
	m, diags := engine.Compile(bp, reg)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	p, diags := engine.Plan(m, &s.snap)
	if p == nil {
		return nil, diags
	}
	return p.Plan, diags
}

// lines writes a plan as symbol, key, and the keys of what is done first.
func lines(p *plans.Plan) []string {
	var all []string
	for _, c := range p.Changes {
		line := string(c.Action) + " " + c.Addr.Key
		for _, r := range c.Requires {
			line += " <" + r.Key
		}
		all = append(all, line)
	}
	return all
}

func TestRemovalsWaitForWhatStopsNeedingThem(t *testing.T) {
	t.Parallel()
	block := func(name string) schema.BlockAddr { return schema.BlockAddr{Type: "manifest", Name: name} }
	refused := errors.New("the host is taken")
	tests := map[string]struct {
		scene func(*scene)
		want  []string
	}{
		"of the same block": {
			func(s *scene) {
				s.desired(object("a", "new"), providers.Live{})
				s.gone(object("a", "old"), providers.Live{})
			},
			[]string{"- old <new", "~ new"},
		},
		"of another block that nobody uses": {
			func(s *scene) {
				s.desired(object("a", "x"), providers.Live{})
				s.gone(object("b", "old"), providers.Live{})
			},
			[]string{"- old", "~ x"},
		},
		"of a block that another one depends on": {
			func(s *scene) {
				s.desired(object("db", "d"), providers.Live{})
				s.desired(object("client", "c"), providers.Live{Uses: []string{"old"}})
				s.gone(object("db", "old"), providers.Live{})
				s.dependsOn = map[string]string{"client": "db"}
			},
			[]string{"- old <c <d", "~ d", "~ c <d"},
		},
		"used by an object of another block": {
			func(s *scene) {
				s.desired(object("a", "x"), providers.Live{Uses: []string{"old"}})
				s.gone(object("b", "old"), providers.Live{})
			},
			[]string{"- old <x", "~ x"},
		},
		"a database after its client, which goes too": {
			func(s *scene) {
				s.gone(object("client", "c"), providers.Live{After: []schema.BlockAddr{block("db")}})
				s.gone(object("db", "d"), providers.Live{})
			},
			[]string{"- c", "- d <c"},
		},
		"two that remember each other": {
			func(s *scene) {
				s.gone(object("a", "x"), providers.Live{After: []schema.BlockAddr{block("b")}})
				s.gone(object("b", "y"), providers.Live{After: []schema.BlockAddr{block("a")}})
			},
			[]string{"- x", "- y <x"},
		},
		"what cannot be made while another is there goes after it": {
			func(s *scene) {
				s.desired(object("a", "new"), providers.Live{Value: cty.NullVal(objectType), Refuse: refused, Deferred: true})
				s.gone(object("a", "old"), providers.Live{})
			},
			[]string{"- old", "? new <old"},
		},
		"and that closes no circle": {
			func(s *scene) {
				s.desired(object("a", "new"), providers.Live{Value: cty.NullVal(objectType), Refuse: refused, Deferred: true})
				s.desired(object("b", "user"), providers.Live{Uses: []string{"old"}}, object("a", "new"))
				s.gone(object("a", "old"), providers.Live{})
			},
			[]string{"- old", "? new <old", "? user <new"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			test.scene(s)
			p, diags := s.plan(t)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			if diff := cmp.Diff(test.want, lines(p)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusalOfAProbe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		live providers.Live
		want string // summary of the error; empty: the plan is made
	}{
		"of a change":                 {providers.Live{Refuse: errors.New("it cannot be changed")}, "Change refused"},
		"of a change that waits":      {providers.Live{Refuse: errors.New("not yet"), Deferred: true}, "Change refused"}, // for nothing
		"where no change is needed":   {providers.Live{Value: objectText("new"), Refuse: errors.New("it cannot be changed")}, ""},
		"where the system changes it": {providers.Live{Value: objectText("new"), Result: objectText("other"), Refuse: errors.New("no")}, "Change refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			s.desired(object("a", "x"), test.live)
			_, diags := s.plan(t)
			if got := diags.HasErrors(); got != (test.want != "") || got && diags[0].Summary != test.want {
				t.Errorf("diagnostics %v, want %q", diags, test.want)
			}
		})
	}
}

func TestNotesAreWarnings(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.desired(object("a", "x"), providers.Live{Value: objectText("new"), Notes: []string{"somebody else owns text"}})
	s.snap.Notes = []string{"a claim stays"}
	p, diags := s.plan(t)
	if p == nil || p.Summary().Total() != 0 {
		t.Fatalf("plan %v, want an empty one", p)
	}
	var got []string
	for _, d := range diags {
		if d.Severity == hcl.DiagWarning {
			got = append(got, d.Detail)
		}
	}
	if diff := cmp.Diff([]string{"a claim stays.", `manifest.a/test.object["x"]: somebody else owns text.`}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSuccessorNeedsNoApproval(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.desired(object("a", "settings-2"), providers.Live{Value: cty.NullVal(objectType)})
	s.gone(object("a", "settings-1"), providers.Live{}).Successor = object("a", "settings-2")
	p, _ := s.plan(t)
	if digest := plans.ApprovalDigest(p); digest != "" {
		t.Errorf("the plan asks for an approval: %s", digest)
	}
	if got := p.Changes[0]; got.Action != plans.Delete || got.Reason.Code != plans.Superseded {
		t.Errorf("%s %+v, want a removal of what is superseded", got.Action, got.Reason)
	}
	s = newScene()
	s.gone(object("a", "settings-1"), providers.Live{})
	if p, _ = s.plan(t); plans.ApprovalDigest(p) == "" {
		t.Error("a removal without a successor needs no approval")
	}
}

func TestCauseIsPartOfTheReason(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.desired(object("a", "new"), providers.Live{Value: objectText("old"), Cause: "changed by somebody"})
	p, _ := s.plan(t)
	got := p.Changes[0].Reason.Text
	if got != "text differs; changed by somebody" {
		t.Errorf("reason %q", got)
	}
}
