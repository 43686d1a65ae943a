// Package network is a private network inside one process: hosts have interfaces with addresses, and connections between
// them behave like TCP's (refused, unreachable, half-closed, reset, delayed, cut) without ever touching a real device.
package network
