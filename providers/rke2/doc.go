// Package rke2 is the provider of RKE2 on a host: its installed version, its tokens and configuration files, and the service
// that runs with them.
package rke2
