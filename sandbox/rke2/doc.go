// Package rke2 is the stand-in for RKE2 on the sandbox's hosts: the server and agent daemons, the supervisor on port 9345,
// tokens, configuration and packaged add-ons, all of it around a real control plane.
package rke2
