package host_test

import (
	"testing"

	"github.com/expertflow/cxha/providers/providertest"
)

// fresh undoes what the cases do to a sandbox's host.
const fresh = `rm -rf /srv/data /srv/secret /var/lib/cxha /etc/NetworkManager/conf.d/rke2-canal.conf /etc/sysctl.d/90-cxha.conf /etc/modules-load.d/cxha.conf
sed '/cxha$/d' /etc/hosts > /etc/hosts.new
mv /etc/hosts.new /etc/hosts
sysctl -w net.ipv4.ip_forward=0 > /dev/null
sysctl -w net.ipv4.ip_local_port_range='32768 60999' > /dev/null
if systemctl cat ufw.service > /dev/null 2>&1; then systemctl enable --now ufw.service 2> /dev/null; fi
`

func TestIntegrationKindsKeepTheContract(t *testing.T) {
	t.Parallel()
	sandbox := providertest.StartSandbox(t)
	host := sandbox.Host(t, "w1") // an Ubuntu with ufw; w2 is a Red Hat with NetworkManager
	suite := providertest.HostSuite{
		Host: func(*testing.T) providertest.Runner { return host },
		Tree: "find /etc /var /srv /run -type f | sort | xargs sha256sum\nfind / | sort | xargs ls -ld\n",
	}
	for name, c := range cases(t) {
		c.Reset, c.Prepare = fresh, ""
		host = sandbox.Host(t, "w1")
		switch name {
		case "network manager":
			host = sandbox.Host(t, "w2")
		case "firewall":
			c.Drifts = map[string]string{"ufw": "systemctl enable --now ufw.service\n"}
		case "modules":
			delete(c.Drifts, "unloaded")
		case "sysctl":
			c.Drifts["kernel"] = "sysctl -w net.ipv4.ip_forward=0\n"
		case "tools":
			c.Drifts = map[string]string{"service stopped": "systemctl stop iscsid\n", "service disabled": "systemctl disable iscsid\n"}
		case "arp trial":
			c.Uncut = true // the relocated host is cut off everywhere; here each look at an address takes a second
		case "nfs trial":
			c.Prepare = "apt-get -y install nfs-common > /dev/null\n"
		}
		t.Run(name, func(t *testing.T) { suite.Run(t, c) })
	}
}
