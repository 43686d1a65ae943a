package rke2_test

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
	"github.com/expertflow/cxha/schema"
)

func TestInstallAnswer(t *testing.T) {
	t.Parallel()
	const whole = "prefix=/usr/local\nversion=rke2 version v1.35.7+rke2r1 (abc)\nuninstall=yes\nunit=server\nunit=agent\nend=yes\n"
	for name, c := range map[string]struct {
		reply         string
		want          plans.Action
		version, role string
	}{
		"whole":              {whole, plans.NoOp, "v1.35.7+rke2r1", "agent"},
		"nothing":            {"end=yes\n", plans.Create, "", ""},
		"cut off":            {"installing=yes\n" + whole, plans.Update, "v1.35.7+rke2r1", "agent"},
		"cut off at once":    {"installing=yes\nend=yes\n", plans.Update, "", "agent"},
		"broken binary":      {strings.Replace(whole, "rke2 version v1.35.7+rke2r1 (abc)", "", 1), plans.Update, "", "agent"},
		"no way to remove":   {strings.Replace(whole, "uninstall=yes\n", "", 1), plans.Update, "v1.35.7+rke2r1", "agent"},
		"the server package": {strings.Replace(whole, "unit=agent\n", "", 1), plans.Update, "v1.35.7+rke2r1", "server"},
		"other version":      {strings.Replace(whole, "v1.35.7", "v1.35.6", 1), plans.Update, "v1.35.6+rke2r1", "agent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := rke2.New(rke2.Options{})
			r := providertest.Compile(t, p, providertest.Blueprint())["worker.w1/rke2.install"]
			v, err := providertest.Kind(t, p, "rke2.install").Answer(r, providers.Reply{Stdout: c.reply})
			if err != nil {
				t.Fatal(err)
			}
			d, err := plans.Diff(r.Desired, v, plans.DiffOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if d.Action != c.want {
				t.Errorf("planned is %s, want %s", d.Action, c.want)
			}
			for attr, want := range map[string]string{"version": c.version, "type": c.role} {
				if got := attrText(v, attr); got != want {
					t.Errorf("%s is %q, want %q", attr, got, want)
				}
			}
		})
	}
}

func attrText(v cty.Value, name string) string {
	if v.IsNull() || schema.Plain(v.GetAttr(name)).IsNull() {
		return ""
	}
	return schema.Plain(v.GetAttr(name)).AsString()
}

func TestWaysBetweenVersions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, refused string }{
		"patch":         {"v1.35.6+rke2r1", "v1.35.7+rke2r1", ""},
		"patch back":    {"v1.35.7+rke2r1", "v1.35.6+rke2r1", ""},
		"next minor":    {"v1.35.7+rke2r1", "v1.36.3+rke2r1", ""},
		"minor skipped": {"v1.34.1+rke2r1", "v1.36.3+rke2r1", "ask for a version v1.35 first"},
		"minor back":    {"v1.36.3+rke2r1", "v1.35.7+rke2r1", "restore a snapshot of the old version"},
		"no version":    {"dev", "v1.35.7+rke2r1", "want the form"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := rke2.New(rke2.Options{})
			r := providertest.Compile(t, p, providertest.Blueprint())["worker.w1/rke2.install"]
			change := plans.Change{
				Addr: r.Addr, Host: "w1", Action: plans.Update,
				Before: withAttr(r.Desired, "version", cty.StringVal(c.from)), After: withAttr(r.Desired, "version", cty.StringVal(c.to)),
			}
			_, err := providertest.Kind(t, p, "rke2.install").(providers.Explainer).Explain(change)
			if (err == nil) != (c.refused == "") || (err != nil && !strings.Contains(err.Error(), c.refused)) {
				t.Errorf("the refusal is %v, want %q", err, c.refused)
			}
		})
	}
}

func FuzzInstallAnswer(f *testing.F) {
	f.Add("installing=yes\nprefix=/usr/local\nversion=rke2 version v1.35.7+rke2r1 (abc)\nunit=server\nend=yes\n")
	fuzzAnswer(f, "worker.w1/rke2.install")
}

func FuzzServiceAnswer(f *testing.F) {
	f.Add("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nInvocationID=a\nstarted_config=c\nstarted_invocation=a\nfiles=f\n")
	fuzzAnswer(f, "worker.w1/rke2.service")
}

// fuzzAnswer checks that an answer is an error or a value of the kind's type, whatever a host prints.
func fuzzAnswer(f *testing.F, addr string) {
	f.Helper()
	p := rke2.New(rke2.Options{})
	r := providertest.Compile(f, p, providertest.Blueprint())[addr]
	k := providertest.Kind(f, p, r.Addr.Type)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := k.Answer(r, providers.Reply{Stdout: text})
		if err == nil && !schema.Plain(v).Type().Equals(k.Type().Object) {
			t.Errorf("the value has the type %#v", v.Type())
		}
	})
}

// An upgrade that is cut off behind the binary leaves a host that looks whole; only cxha's mark tells that it is not.
func TestCutUpgradeIsSeen(t *testing.T) {
	t.Parallel()
	c := cases(t)["install"]
	run := providertest.Relocated(t)
	script := func(text string) providers.Reply {
		t.Helper()
		reply, err := run(t.Context(), "set -eu\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	script(c.Prepare)
	old := c.Resource
	old.Desired = withAttr(old.Desired, "version", cty.StringVal("v1.35.6+rke2r1"))
	providertest.Converge(t, run, c.Kind, old)
	change, _ := providertest.Changes(t, run, c.Kind, c.Resource)
	s, err := c.Kind.Commands(change)
	if err != nil {
		t.Fatal(err)
	}
	script(": > /srv/broken\n")
	if reply := script(s.Text()); reply.Exit == 0 {
		t.Fatal("the install script failed and the commands did not")
	}
	change, ok := providertest.Changes(t, run, c.Kind, c.Resource)
	if !ok || attrText(change.Before, "version") != "v1.35.7+rke2r1" {
		t.Fatalf("planned is %s, the version %s; want a change though the version is right", change.Action, attrText(change.Before, "version"))
	}
	script("rm /srv/broken\n")
	providertest.Converge(t, run, c.Kind, c.Resource)
}
