// Package cli is the command line of cxha: one file per verb, and the exit codes.
package cli
