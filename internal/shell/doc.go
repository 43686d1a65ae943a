// Package shell builds POSIX sh text for hosts: quoted words, whole files, and secrets that are sent but never shown.
package shell
