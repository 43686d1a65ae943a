package machine

import "context"

// Unit files of what runs on a fresh host.
const (
	sshUnit = `[Unit]
Description=OpenBSD Secure Shell server (sandbox)
After=network.target

[Service]
Type=notify
ExecStart=/usr/sbin/sshd -D
KillMode=process
Restart=on-failure

[Install]
WantedBy=multi-user.target
`
	timesyncUnit = `[Unit]
Description=Network Time Synchronization (sandbox)

[Service]
Type=notify
ExecStart=/usr/lib/systemd/systemd-timesyncd
Restart=always

[Install]
WantedBy=multi-user.target
`
	networkdUnit = `[Unit]
Description=Network Configuration (sandbox)

[Service]
Type=notify
ExecStart=/usr/lib/systemd/systemd-networkd
Restart=on-failure

[Install]
WantedBy=multi-user.target
`
	networkManagerUnit = `[Unit]
Description=Network Manager (sandbox)

[Service]
Type=notify
ExecStart=/usr/sbin/NetworkManager --no-daemon
ExecReload=/usr/bin/nmcli general reload
Restart=on-failure

[Install]
WantedBy=multi-user.target
`
	ufwUnit = `[Unit]
Description=Uncomplicated firewall (sandbox)

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/ufw/ufw-init start quiet
ExecStop=/usr/lib/ufw/ufw-init stop

[Install]
WantedBy=multi-user.target
`
	firewalldUnit = `[Unit]
Description=firewalld - dynamic firewall daemon (sandbox)

[Service]
Type=notify
ExecStart=/usr/sbin/firewalld --nofork --nopid
ExecReload=/usr/bin/firewall-reload
Restart=no

[Install]
WantedBy=multi-user.target
`
)

// iscsidUnit comes with the package open-iscsi.
const iscsidUnit = `[Unit]
Description=iSCSI initiator daemon (sandbox)

[Service]
Type=notify
ExecStart=/usr/sbin/iscsid

[Install]
WantedBy=multi-user.target
`

// daemonCommands are the programs of these units. Only sshd does something; the others are there to be found, stopped,
// disabled and reloaded, and do not touch the network.
func daemonCommands() map[string]Program {
	return map[string]Program{
		"sshd": cmdSshd, "systemd-timesyncd": idle, "systemd-networkd": idle, "NetworkManager": cmdNetworkManager, "firewalld": idle, "iscsid": idle,
		"ufw-init": say("Firewall rules are not modelled: no packet is filtered"), "nmcli": say("configuration was read again"),
		"firewall-reload": say("rules were read again"),
	}
}

// idle is a daemon that runs until it is told to end.
func idle(ctx context.Context, p *Process) int {
	p.Notify()
	<-ctx.Done()
	return 0
}

func say(text string) Program {
	return func(_ context.Context, p *Process) int {
		p.printf("%s\n", text)
		return 0
	}
}
