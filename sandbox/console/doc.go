// Package console is the command line that cxha-sandbox and cxha-lab share: the verbs that a running server does, and the exit codes.
package console
