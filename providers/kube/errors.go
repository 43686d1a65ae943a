package kube

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// hostError means that the control plane's host could not be reached for a connection to the API.
type hostError struct{ err error }

func (e *hostError) Error() string { return e.err.Error() }
func (e *hostError) Unwrap() error { return e.err }

// dialError means that the host was reached, and nothing answered at the API server's address on it.
type dialError struct {
	addr string
	err  error
}

func (e *dialError) Error() string {
	return fmt.Sprintf("the API server does not answer at %s: %v", e.addr, e.err)
}
func (e *dialError) Unwrap() error { return e.err }

// retryError is an answer of the API server that passes soon, though it usually does not.
type retryError struct{ err error }

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// transient reports whether err is one that passes when the API server is up, or up again.
func transient(err error) bool {
	var dial *dialError
	var retry *retryError
	var timeout net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &dial), errors.As(err, &retry), errors.Is(err, errNotStarted), refused(err):
		return true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.DeadlineExceeded):
		return true
	case utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err), utilnet.IsHTTP2ConnectionLost(err):
		return true
	case errors.As(err, &timeout) && timeout.Timeout():
		return true
	case apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsServiceUnavailable(err):
		return true
	case apierrors.IsTooManyRequests(err):
		return !apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause)
	}
	// etcd's own troubles, such as a leader that is not elected yet, come as internal errors.
	return strings.Contains(err.Error(), "etcdserver:")
}

// refused reports whether the server does not accept the client's certificate, or the client the server's: what a control
// plane that was set up anew looks like through its old kubeconfig.
func refused(err error) bool {
	var unknown x509.UnknownAuthorityError
	return err != nil && (apierrors.IsUnauthorized(err) || errors.As(err, &unknown))
}

// brief is an error's innermost message: without the address of the call around it.
func brief(err error) string {
	for {
		var dial *dialError
		if errors.As(err, &dial) {
			return dial.Error()
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
