// Package machine is one simulated Linux host: a file system under a real directory, users, a POSIX shell with the usual
// commands, a model of systemd and an SSH server on a private network. It knows nothing of Kubernetes or RKE2.
package machine
