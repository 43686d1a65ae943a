package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

const isItUp = "Check that it is up and that its SSH port can be reached from here."

// cutOffError is an UnreachableError that is worth another try.
type cutOffError struct{ *UnreachableError }

func (e *cutOffError) Is(target error) bool { return target == errCutOff }
func (e *cutOffError) Unwrap() error        { return e.UnreachableError }

// unreachable tells why a TCP connection could not be made.
func unreachable(t Target, addr string, err error, limit time.Duration) error {
	e := &UnreachableError{Target: t, Advice: isItUp}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		e.Reason = fmt.Sprintf("the name %s cannot be resolved: %s", dns.Name, dns.Err)
		e.Advice = "Correct the address in the blueprint, or make the name known to this machine."
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Reason = fmt.Sprintf("connection to %s refused", addr)
		e.Advice = "The machine answers, but nothing listens on that port: check that sshd runs and that the port in the ssh block is right."
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		e.Reason = fmt.Sprintf("no answer within %s", limit)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		e.Reason = fmt.Sprintf("no route to %s", addr)
		e.Advice = "Check the address, the network between, and whether an ssh bastion is needed."
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		e.Reason = "this machine has too many open files"
		e.Advice = "Raise the limit (`ulimit -n`) and run again."
	default:
		e.Reason = err.Error()
	}
	return e
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func isCutOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
