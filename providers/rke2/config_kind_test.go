package rke2_test

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
)

// TestRecordOfAStartOutlivesReboots changes config.yaml on a host that booted since cxha started RKE2 there.
func TestRecordOfAStartOutlivesReboots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		option  string
		restart bool // the boot after the change starts RKE2 with what the record does not know
	}{
		"an option for registration": {"node-label", false},
		"another option":             {"node-ip", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := providertest.Relocated(t)
			config, service := cases(t)["agent config"], cases(t)["service"]
			change := func(k providers.HostKind, r providers.Resource) (plans.Change, bool) {
				return providertest.Changes(t, run, k, r)
			}
			must := func(script string) {
				t.Helper()
				if reply, err := run(t.Context(), script); err != nil || reply.Exit != 0 {
					t.Fatalf("%v, exit code %d: %s", err, reply.Exit, reply.Stderr)
				}
			}
			must(service.Prepare)
			providertest.Converge(t, run, config.Kind, config.Resource)
			providertest.Converge(t, run, service.Kind, service.Resource)
			must("systemctl restart rke2-agent")

			options := config.Resource.Desired.GetAttr("options").AsValueMap()
			options[c.option] = cty.ListVal([]cty.Value{cty.StringVal("other")})
			config.Resource.Desired = withAttr(config.Resource.Desired, "options", cty.MapVal(options))
			providertest.Converge(t, run, config.Kind, config.Resource)
			for _, boots := range []string{":", "systemctl restart rke2-agent"} {
				must(boots)
				if got, ok := change(service.Kind, service.Resource); ok != c.restart {
					t.Errorf("after %q a change of the service is planned: %v (%s), want %v", boots, ok, got.Reason.Text, c.restart)
				}
			}
		})
	}
}

func TestDamagedRecordIsRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage string
		change bool
	}{
		"half a line at its end": {"printf 'started_inv' >> /var/lib/cxha/rke2-started", false},
		"nothing but damage":     {"printf 'half a li' > /var/lib/cxha/rke2-started", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, service := providertest.Relocated(t), cases(t)["service"]
			if reply, err := run(t.Context(), service.Prepare); err != nil || reply.Exit != 0 {
				t.Fatalf("%v, exit code %d: %s", err, reply.Exit, reply.Stderr)
			}
			providertest.Converge(t, run, service.Kind, service.Resource)
			if reply, err := run(t.Context(), c.damage); err != nil || reply.Exit != 0 {
				t.Fatalf("%v, exit code %d: %s", err, reply.Exit, reply.Stderr)
			}
			if got, ok := providertest.Changes(t, run, service.Kind, service.Resource); ok != c.change {
				t.Errorf("a change is planned: %v (%s), want %v", ok, got.Reason.Text, c.change)
			}
		})
	}
}
