package rke2_test

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// sample is the guide's cluster with drop-ins, registries, a manifest and options of its own.
func sample() *blueprint.Blueprint {
	bp := providertest.Blueprint()
	bp.Cluster.Registries = cty.ObjectVal(map[string]cty.Value{"configs": cty.ObjectVal(map[string]cty.Value{
		"registry.internal": cty.ObjectVal(map[string]cty.Value{"password": schema.Secret("s3cret")}),
	})})
	bp.ControlPlane.Manifests = []blueprint.DropIn{{Name: "rke2-canal-config.yaml", Content: "kind: HelmChartConfig\n", Source: providertest.Source(20)}}
	bp.ControlPlane.Config = cty.ObjectVal(map[string]cty.Value{
		"etcd-snapshot-retention": cty.NumberIntVal(56), "etcd-expose-metrics": cty.True, "etcd-s3-secret-key": schema.Secret("k3y"),
		"kube-controller-manager-arg": cty.TupleVal([]cty.Value{cty.StringVal("node-monitor-grace-period=40s")}),
	})
	bp.Workers[0].DropIns = []blueprint.DropIn{{Name: "50-kubelet.yaml", Content: "kubelet-arg:\n  - max-pods=50\n", Source: providertest.Source(21)}}
	return bp
}

// install is an install script that makes files in RKE2's layout; it stops half-way where there is a file called broken.
const install = `mkdir -p /srv/mirror
cat > /srv/mirror/install.sh <<'SCRIPT'
set -eu
[ "$INSTALL_RKE2_METHOD" = tar ]
bin=$CXHA_ROOT/usr/local/bin
printf '#!/bin/sh\necho "rke2 version %s (abc)"\necho "go version"\n' "$INSTALL_RKE2_VERSION" > "$bin/rke2"
chmod 755 "$bin/rke2"
[ ! -e "$CXHA_ROOT/srv/broken" ] || exit 1
printf '#!/bin/sh\nrm -rf "$CXHA_ROOT"/usr/local/bin/rke2* "$CXHA_ROOT"/usr/local/lib/systemd/system/rke2* "$CXHA_ROOT/etc/rancher"\n' > "$bin/rke2-uninstall.sh"
chmod 755 "$bin/rke2-uninstall.sh"
for t in server agent; do : > "$CXHA_ROOT/usr/local/lib/systemd/system/rke2-$t.service"; done
SCRIPT
`

const unit = ": > /usr/local/lib/systemd/system/rke2-agent.service\nmkdir -p /etc/rancher/rke2\necho a: 1 > /etc/rancher/rke2/config.yaml\n"

func withAttr(v cty.Value, name string, to cty.Value) cty.Value {
	attrs := v.AsValueMap()
	attrs[name] = to
	return cty.ObjectVal(attrs)
}

// filled returns the resource with its inputs filled by texts.
func filled(r providers.Resource, inputs map[string]string) providers.Resource {
	attrs := r.Desired.AsValueMap()
	for name, text := range inputs {
		attrs[name] = schema.Secret(text)
	}
	r.Desired = cty.ObjectVal(attrs)
	return r
}

func cases(t *testing.T) map[string]providertest.HostCase {
	t.Helper()
	p := rke2.New(rke2.Options{})
	rs := providertest.Compile(t, p, sample())
	one := func(addr string) providertest.HostCase {
		r, ok := rs[addr]
		if !ok {
			t.Fatalf("%s was not compiled", addr)
		}
		return providertest.HostCase{Kind: providertest.Kind(t, p, r.Addr.Type), Resource: r, Stays: true}
	}
	owned := func(addr string, drifts map[string]string) providertest.HostCase {
		c := one(addr)
		c.Stays, c.Uncut, c.Drifts = false, true, drifts // a file like host.file
		return c
	}
	installed := owned("worker.w1/rke2.install", map[string]string{
		"removed":    "rm /usr/local/bin/rke2\n",
		"version":    "sed s/v1.35.7/v1.35.6/ /usr/local/bin/rke2 > /srv/n\ncat /srv/n > /usr/local/bin/rke2\n",
		"cut off":    "printf '#!/bin/sh\\n' > /usr/local/bin/rke2\n",
		"half":       "rm /usr/local/lib/systemd/system/rke2-agent.service\n",
		"scriptless": "rm /usr/local/bin/rke2-uninstall.sh\n",
	})
	installed.Prepare, installed.Uncut = install, false
	installed.Resource.Desired = withAttr(installed.Resource.Desired, "script", cty.StringVal("file:/srv/mirror/install.sh"))

	server, agent := one("control_plane.cp1/rke2.config"), one("worker.w1/rke2.config")
	server.Drifts = map[string]string{
		"option":  "sed 's/56/5/' /etc/rancher/rke2/config.yaml > /srv/n\ncat /srv/n > /etc/rancher/rke2/config.yaml\n",
		"secret":  "echo 'token: x' >> /etc/rancher/rke2/config.yaml\n",
		"garbage": "echo '}{' >> /etc/rancher/rke2/config.yaml\n",
		"twice":   "echo 'node-name: w9' >> /etc/rancher/rke2/config.yaml\n",
		"empty":   ": > /etc/rancher/rke2/config.yaml\n",
		"mode":    "chmod 644 /etc/rancher/rke2/config.yaml\n",
	}
	agent.Drifts = map[string]string{"removed": "rm /etc/rancher/rke2/config.yaml\n"}

	token, agentToken := one("control_plane.cp1/rke2.token"), one("worker.w1/rke2.agent_token")
	token.Drifts = map[string]string{
		"mode":       "chmod 644 /etc/rancher/rke2/server-token\n",
		"removed":    "rm /etc/rancher/rke2/agent-token\n",
		"empty":      ": > /etc/rancher/rke2/agent-token\n",
		"not RKE2's": "mkdir -p /var/lib/rancher/rke2/server\necho K10abc::server:other > /var/lib/rancher/rke2/server/token\nln -s token /var/lib/rancher/rke2/server/agent-token\n",
	}
	agentToken.Resource = filled(agentToken.Resource, map[string]string{"token": "0123456789abcdef"})
	agentToken.Drifts = map[string]string{"other": "echo other > /etc/rancher/rke2/agent-token\n", "mode": "chmod 640 /etc/rancher/rke2/agent-token\n"}

	server.Uncut, agent.Uncut, agentToken.Uncut = true, true, true
	service := one("worker.w1/rke2.service")
	service.Prepare = unit
	service.Resource = filled(service.Resource, map[string]string{"agent_token": "d1"})
	service.Drifts = map[string]string{
		"stopped":              "systemctl stop rke2-agent\n",
		"disabled":             "systemctl disable rke2-agent\n",
		"unrecorded":           "rm /var/lib/cxha/rke2-started\n",
		"restarted with other": "echo b: 2 > /etc/rancher/rke2/config.yaml\nsystemctl restart rke2-agent\n",
		"other token":          "sed s/d1/d0/ /var/lib/cxha/rke2-started > /srv/n\nmv /srv/n /var/lib/cxha/rke2-started\n",
		"activating":           "echo activating > run/units/rke2-agent/active\n",
	}
	return map[string]providertest.HostCase{
		"install": installed, "server config": server, "agent config": agent, "token": token, "agent token": agentToken, "service": service,
		"drop-in":    owned(`worker.w1/rke2.drop_in["50-kubelet.yaml"]`, map[string]string{"content": "echo a: 1 > /etc/rancher/rke2/config.yaml.d/50-kubelet.yaml\n"}),
		"registries": owned("worker.w1/rke2.registries", map[string]string{"content": "echo mirrors: >> /etc/rancher/rke2/registries.yaml\n"}),
		"manifest":   owned(`control_plane.cp1/rke2.manifest["rke2-canal-config.yaml"]`, map[string]string{"removed": "rm /var/lib/rancher/rke2/server/manifests/*\n"}),
	}
}
