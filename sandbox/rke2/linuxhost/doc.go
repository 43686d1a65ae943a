// Package linuxhost is a real Linux host under RKE2's stand-in: its files, its network and its service manager.
package linuxhost
