// Package host is the provider of what an operating system needs before RKE2 runs on it: kernel modules and settings,
// NetworkManager's and the firewall's part, the endpoint's line in the hosts file, and the blueprint's files and directories.
package host
