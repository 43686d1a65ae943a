package remote

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Target names the machine that an error is about.
type Target struct {
	Host    string // name in the blueprint
	Address string // its address, with the port where that is not 22
	Bastion string // not empty: it is this bastion, on the way to the host, that failed
}

// String returns "host w1 (10.10.1.11)", with the bastion where that is what failed.
func (t Target) String() string {
	s := fmt.Sprintf("host %s (%s)", t.Host, t.Address)
	if t.Bastion != "" {
		s += ": bastion " + t.Bastion
	}
	return s
}

// at returns the target of an error of the bastion as the host behind it sees it.
func (t Target) at(host Target) Target {
	host.Bastion = t.Bastion
	return host
}

// targeted is an error of this package that can be told again for each host behind a failed bastion.
type targeted interface {
	error
	retarget(host Target) error
}

// KeyProblem says what is wrong with a host key.
type KeyProblem string

// The problems of host keys.
const (
	KeyUnknown  KeyProblem = "unknown"  // known_hosts has no key of the host
	KeyChanged  KeyProblem = "changed"  // known_hosts has other keys of the host
	KeyRevoked  KeyProblem = "revoked"  // known_hosts marks the key as @revoked
	KeyRejected KeyProblem = "rejected" // any other: a certificate that no known authority signed, no key of a known type
)

// HostKeyError says that the key a host showed is not the one that is expected there. Nothing was sent to the host.
type HostKeyError struct {
	Target
	Problem    KeyProblem
	KeyType    string   // ssh-ed25519; empty where the host showed no key
	Got        string   // fingerprint of the key that the host showed, SHA256:...
	Want       []string // fingerprints in known_hosts, each with its type and place
	KnownHosts string   // path of the file
	Line       string   // the line that would make the key known
	Reason     string   // with KeyRejected: why
}

// Error returns the problem and, on lines of their own, what to do.
func (e *HostKeyError) Error() string { return e.Brief() + "\n" + e.Hint() }

// Brief returns the problem in one line.
func (e *HostKeyError) Brief() string {
	switch e.Problem {
	case KeyUnknown:
		return fmt.Sprintf("%s: the host key is not in %s: the host shows %s %s", e.Target, e.file(), e.KeyType, e.Got)
	case KeyChanged:
		return fmt.Sprintf("%s: THE HOST KEY HAS CHANGED: the host shows %s %s, but known is %s",
			e.Target, e.KeyType, e.Got, strings.Join(e.Want, ", "))
	case KeyRevoked:
		return fmt.Sprintf("%s: the host key %s %s is marked as revoked in %s", e.Target, e.KeyType, e.Got, e.file())
	default:
		return fmt.Sprintf("%s: the host key cannot be checked: %s", e.Target, e.Reason)
	}
}

// Hint returns what to do, in full sentences.
func (e *HostKeyError) Hint() string {
	switch e.Problem {
	case KeyUnknown:
		return fmt.Sprintf("Compare the fingerprint with the output of `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host. "+
			"If it is the same, make the key known:\n  %s", e.append())
	case KeyChanged:
		return fmt.Sprintf("Somebody may be listening in between, or the host was installed anew. If you know that it was, "+
			"compare the fingerprint on the host, then replace the old key:\n  ssh-keygen -f %s -R %s\n  %s",
			quote(e.KnownHosts), quote(strings.SplitN(e.Line, " ", 2)[0]), e.append())
	case KeyRevoked:
		return "Give the host a new key; a revoked one is not accepted."
	default:
		return fmt.Sprintf("Look at the lines of the host in %s and at the HostKey lines of its sshd_config.", e.file())
	}
}

func (e *HostKeyError) file() string {
	if e.KnownHosts == "" {
		return "known_hosts (the blueprint's ssh block names no such file)"
	}
	return e.KnownHosts
}

func (e *HostKeyError) append() string {
	if e.KnownHosts == "" {
		return fmt.Sprintf("echo %s >> known_hosts  # and name the file in the ssh block: known_hosts = ...", quote(e.Line))
	}
	return fmt.Sprintf("echo %s >> %s", quote(e.Line), quote(e.KnownHosts))
}

func (e *HostKeyError) retarget(host Target) error {
	c := *e
	c.Target = e.at(host)
	return &c
}

// AuthError says that the host did not let the user in, or that there is no key to show it.
type AuthError struct {
	Target
	User   string
	Reason string // in one line
	Advice string // full sentences
}

// Error returns the problem and, on lines of their own, what to do.
func (e *AuthError) Error() string { return e.Brief() + "\n" + e.Hint() }

// Brief returns the problem in one line.
func (e *AuthError) Brief() string {
	return fmt.Sprintf("%s: no login as %s: %s", e.Target, e.User, e.Reason)
}

// Hint returns what to do, in full sentences.
func (e *AuthError) Hint() string { return e.Advice }

func (e *AuthError) retarget(host Target) error {
	c := *e
	c.Target = e.at(host)
	return &c
}

// UnreachableError says that no SSH connection could be made.
type UnreachableError struct {
	Target
	Reason string // in one line
	Advice string // full sentences
}

// Error returns the problem and, on lines of their own, what to do.
func (e *UnreachableError) Error() string { return e.Brief() + "\n" + e.Hint() }

// Brief returns the problem in one line.
func (e *UnreachableError) Brief() string { return fmt.Sprintf("%s: %s", e.Target, e.Reason) }

// Hint returns what to do, in full sentences.
func (e *UnreachableError) Hint() string { return e.Advice }

func (e *UnreachableError) retarget(host Target) error {
	c := *e
	c.Target = e.at(host)
	return &c
}

// RunError says that a script was not run, or that its end was not seen.
type RunError struct {
	Target
	Reason  string // in one line
	Advice  string // full sentences; may be empty
	Unknown bool   // the host has the whole script, and it is not known what of it was done; otherwise nothing of it was
}

// Error returns the problem and, on lines of their own, what to do.
func (e *RunError) Error() string {
	if e.Advice == "" {
		return e.Brief()
	}
	return e.Brief() + "\n" + e.Advice
}

// Brief returns the problem in one line.
func (e *RunError) Brief() string {
	s := fmt.Sprintf("%s: %s", e.Target, e.Reason)
	if e.Unknown {
		s += "; it is not known whether the commands finished"
	}
	return s
}

// Hint returns what to do, in full sentences; it may be empty.
func (e *RunError) Hint() string { return e.Advice }

func (t Target) stopped(ctx context.Context, doing string) error {
	return fmt.Errorf("%s: stopped while %s: %w", t, doing, ctx.Err())
}

func short(d time.Duration) string { return d.Round(time.Millisecond).String() }
