// Package sshtest is a world of virtual hosts for tests: SSH servers in this process, on loopback, that answer commands by
// Go functions and can be slowed down, cut off and switched off.
//
//	w := sshtest.NewWorld(t)
//	h := w.Host("w1", sshtest.Options{Handler: func(x *sshtest.Exec) int { fmt.Fprint(x.Stdout, "hello"); return 0 }})
//	host, err := connector.Connect(ctx, w.Spec(h))
//
// Every host has a host key of its own, which is in the world's known_hosts file; the world's user logs in with the world's
// key file. A host with a virtual address is reached through the world's bastion only.
package sshtest
