// Package remote is the SSH transport: one checked connection per host, perhaps through a bastion, on which scripts are
// run as root and TCP connections are opened.
//
// Only it and its sshtest import golang.org/x/crypto/ssh; none of that library's types leave it.
package remote
