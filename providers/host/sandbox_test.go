package host_test

import (
	"testing"

	"github.com/expertflow/cxha/providers/providertest"
)

// fresh undoes what the cases do to a sandbox's host.
const fresh = `rm -rf /srv/data /srv/secret /var/lib/cxha /etc/NetworkManager /etc/sysctl.d/90-cxha.conf /etc/modules-load.d/cxha.conf
sed '/cxha$/d' /etc/hosts > /etc/hosts.new
mv /etc/hosts.new /etc/hosts
sysctl -w net.ipv4.ip_forward=0 > /dev/null
sysctl -w net.ipv4.ip_local_port_range='32768 60999' > /dev/null
systemctl enable --now ufw.service 2> /dev/null
`

func TestIntegrationKindsKeepTheContract(t *testing.T) {
	t.Parallel()
	w1 := providertest.StartSandbox(t).Host(t, "w1")
	suite := providertest.HostSuite{
		Host: func(*testing.T) providertest.Runner { return w1 },
		Tree: "find /etc /var /srv /run -type f | sort | xargs sha256sum\nfind / | sort | xargs ls -ld\n",
	}
	for name, c := range cases(t) {
		c.Reset, c.Prepare = fresh, ""
		switch name {
		case "network manager": // the sandbox's hosts have none, which the unit test covers
			continue
		case "firewall":
			c.Drifts = map[string]string{"ufw": "systemctl enable --now ufw.service\n"}
		case "modules":
			delete(c.Drifts, "unloaded")
		case "sysctl":
			c.Drifts["kernel"] = "sysctl -w net.ipv4.ip_forward=0\n"
		}
		t.Run(name, func(t *testing.T) { suite.Run(t, c) })
	}
}
