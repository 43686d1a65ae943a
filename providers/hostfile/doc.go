// Package hostfile is a file on a host as a resource: what is at a path, and the kind that keeps a file's content, owner and mode.
package hostfile
