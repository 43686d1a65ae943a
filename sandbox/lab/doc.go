// Package lab is a world of real hosts: Debian machines in systemd-nspawn with a real OpenSSH and a real systemd, in network
// namespaces that no packet leaves, behind a bastion whose port is on 127.0.0.1. It needs root on Linux.
package lab
