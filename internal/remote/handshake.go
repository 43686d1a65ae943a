package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// handshake is one attempt to agree on keys with a server and to log in.
type handshake struct {
	target  Target
	login   login
	addr    string // address:port, as in known_hosts
	known   *keyDB
	signers []ssh.Signer

	badKey  atomic.Pointer[HostKeyError] // set by the library's goroutine
	trusted atomic.Bool                  // the server's key is the right one
	denied  error
}

// do returns a logged-in client. It closes the route when it fails, and soon after ctx ended.
func (h *handshake) do(ctx context.Context, r route) (*ssh.Client, error) {
	stop := context.AfterFunc(ctx, func() { _ = r.Close() }) // the only way to interrupt the library
	sc, channels, requests, err := ssh.NewClientConn(r.Conn, h.addr, h.config())
	if !stop() && err == nil {
		_ = sc.Close()
		err = ctx.Err()
	}
	if err != nil {
		return nil, h.explain(err)
	}
	return ssh.NewClient(sc, channels, requests), nil
}

func (h *handshake) config() *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User:              h.login.user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(h.signers...)},
		AuthCallback:      h.next,
		HostKeyCallback:   h.known.callback(h),
		HostKeyAlgorithms: h.known.algorithms(h.addr),
		ClientVersion:     "SSH-2.0-cxha",
	}
}

// next is asked before each way of logging in. It ends the handshake when ours was refused, with an error that says so.
func (h *handshake) next(s *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	switch {
	case len(s.PartialSuccessMethods) > 0:
		h.denied = h.refusal(fmt.Sprintf("the key is accepted, but the server wants %s as well", strings.Join(s.AllowedMethods, " or ")),
			"cxha logs in with a key only: see AuthenticationMethods in the server's sshd_config.")
	case slices.Contains(s.TriedMethods, "publickey"):
		h.denied = h.refusal("the server does not accept "+h.shown(), h.authorize())
	case !slices.Contains(s.AllowedMethods, "publickey"):
		h.denied = h.refusal(fmt.Sprintf("the server takes no keys, only %s", strings.Join(s.AllowedMethods, ", ")),
			"cxha logs in with a key only: set PubkeyAuthentication yes in the server's sshd_config.")
	}
	return nil, h.denied
}

func (h *handshake) refusal(reason, advice string) error {
	return &AuthError{Target: h.target, User: h.login.user, Reason: reason, Advice: advice}
}

func (h *handshake) shown() string {
	if len(h.signers) == 1 {
		k := h.signers[0].PublicKey()
		return fmt.Sprintf("the key %s %s", k.Type(), ssh.FingerprintSHA256(k))
	}
	return fmt.Sprintf("any of the %d keys", len(h.signers))
}

func (h *handshake) authorize() string {
	return fmt.Sprintf("Put the public key into ~%s/.ssh/authorized_keys there, or name another user or key in the ssh block.", h.login.user)
}

// late tells what the server did not do in time.
func (h *handshake) late(limit time.Duration) error {
	if e := h.badKey.Load(); e != nil {
		return e
	}
	what := "key exchange"
	if h.trusted.Load() {
		what = "login"
	}
	return &UnreachableError{Target: h.target, Reason: fmt.Sprintf("the %s was not done within %s", what, limit),
		Advice: "The machine answers, but slowly: look at its load, and whether UseDNS makes its sshd wait."}
}

func (h *handshake) explain(err error) error {
	if e := h.badKey.Load(); e != nil {
		return e
	}
	if h.denied != nil {
		return h.denied
	}
	var algorithms *ssh.AlgorithmNegotiationError
	text := strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")
	switch {
	case errors.As(err, &algorithms) && algorithms.What == "host key":
		return h.known.noCommonKey(h, algorithms.RequestedAlgorithms)
	case errors.As(err, &algorithms):
		return &UnreachableError{Target: h.target, Reason: strings.TrimPrefix(text, "ssh: "),
			Advice: "The server's SSH is too old or too narrowly configured: look at the KexAlgorithms, Ciphers and MACs lines of its sshd_config."}
	case h.trusted.Load() && strings.Contains(text, "ssh: disconnect, reason"): // the library has no type for it
		return h.refusal("the server hung up: "+strings.TrimPrefix(text, "ssh: "),
			"When the agent holds many keys, name the right one in the ssh block: servers give up after a few.")
	case isCutOff(err):
		return &cutOffError{&UnreachableError{Target: h.target, Reason: "the server closed the connection during the handshake",
			Advice: "Check that it is an SSH server, and that it does not turn clients away: MaxStartups, PerSourcePenalties, fail2ban, hosts.deny."}}
	default:
		return &UnreachableError{Target: h.target, Reason: "the SSH handshake failed: " + strings.TrimPrefix(text, "ssh: "),
			Advice: "Check that the address and port are those of an SSH server."}
	}
}
