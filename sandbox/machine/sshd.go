package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	sshPort = 22
	// maxSessions is sshd's MaxSessions: more open sessions on one connection are refused.
	maxSessions = 10
	// loginGrace is sshd's LoginGraceTime.
	loginGrace = 2 * time.Minute
)

// cmdSshd is the SSH server of ssh.service. Sessions outlive it, as with KillMode=process.
func cmdSshd(ctx context.Context, p *Process) int {
	lis, err := p.Machine.net.Listen(sshPort)
	if err != nil {
		return p.fail("%v", err)
	}
	stop := context.AfterFunc(ctx, func() { closeQuietly(lis) })
	defer stop()
	p.Notify()
	err = p.Machine.ServeSSH(lis)
	if ctx.Err() == nil {
		return p.fail("%v", err)
	}
	return 0
}

// closeQuietly closes what nobody can use any more; there is nobody to tell about an error.
func closeQuietly(c io.Closer) {
	if err := c.Close(); err != nil {
		return
	}
}

// ServeSSH serves SSH to the connections of a listener, which may be one outside of the private network (the bastion's).
// Connections that come while the machine is off are closed. It returns the listener's
// error, when the listener is closed.
func (m *Machine) ServeSSH(lis net.Listener) error {
	for {
		conn, err := lis.Accept()
		if err != nil {
			return err
		}
		if !m.isOn() {
			closeQuietly(conn)
			continue
		}
		go m.serveConn(conn)
	}
}

// serveConn runs one SSH connection until it ends or the power is cut.
func (m *Machine) serveConn(conn net.Conn) {
	power := m.powerContext()
	defer context.AfterFunc(power, func() { closeQuietly(conn) })()
	defer closeQuietly(conn)
	config, err := m.sshConfig()
	if err != nil {
		return
	}
	if err := conn.SetDeadline(time.Now().Add(loginGrace)); err != nil {
		return
	}
	sc, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return // a client that could not log in, or was no SSH client
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return
	}
	m.connections.Add(1)
	go ssh.DiscardRequests(requests)
	var sessions atomic.Int64
	for ch := range channels {
		switch ch.ChannelType() {
		case "session":
			if sessions.Add(1) > maxSessions {
				sessions.Add(-1)
				reject(ch, ssh.Prohibited, "open failed")
				continue
			}
			go func() {
				defer sessions.Add(-1)
				m.serveSession(power, sc.User(), ch)
			}()
		case "direct-tcpip":
			go m.forward(power, ch)
		default:
			reject(ch, ssh.UnknownChannelType, "unknown channel type")
		}
	}
}

// reject refuses a channel; a client that is gone does not hear it.
func reject(ch ssh.NewChannel, reason ssh.RejectionReason, text string) {
	if err := ch.Reject(reason, text); err != nil {
		return
	}
}

func (m *Machine) sshConfig() (*ssh.ServerConfig, error) {
	signer, err := m.hostSigner()
	if err != nil {
		return nil, err
	}
	config := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-cxha-sandbox",
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if m.authorized(c.User(), key) {
				return nil, nil
			}
			return nil, fmt.Errorf("key is not authorized for %s", c.User())
		},
	}
	config.AddHostKey(signer)
	return config, nil
}

// authorized reads the user's authorized_keys as they are now.
func (m *Machine) authorized(name string, key ssh.PublicKey) bool {
	u, ok := m.user(name)
	if !ok {
		return false
	}
	rest, err := m.fs.ReadFile(u.home + "/.ssh/authorized_keys")
	for err == nil && len(rest) > 0 {
		var known ssh.PublicKey
		known, _, _, rest, err = ssh.ParseAuthorizedKey(rest)
		if err == nil && bytes.Equal(known.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// forward connects a direct-tcpip channel to where the client wants, seen from this machine.
func (m *Machine) forward(power context.Context, ch ssh.NewChannel) {
	var target struct {
		Host   string
		Port   uint32
		Origin string
		From   uint32
	}
	if err := ssh.Unmarshal(ch.ExtraData(), &target); err != nil {
		reject(ch, ssh.ConnectionFailed, "malformed request")
		return
	}
	host := target.Host
	if host == "localhost" {
		host = "127.0.0.1"
	}
	conn, err := m.Dial(power, net.JoinHostPort(host, strconv.FormatUint(uint64(target.Port), 10)))
	if err != nil {
		reject(ch, ssh.ConnectionFailed, strerror(rootCause(err)))
		return
	}
	defer closeQuietly(conn)
	channel, requests, err := ch.Accept()
	if err != nil {
		return
	}
	defer closeQuietly(channel)
	go ssh.DiscardRequests(requests)
	splice(channel, conn)
}

// rootCause unwraps to the innermost error.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// closeWriter is a stream that can be closed in one direction.
type closeWriter interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// splice copies both ways until both directions have ended.
func splice(a closeWriter, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { copyHalf(a, b) })
	both.Go(func() {
		if half, ok := b.(closeWriter); ok {
			copyHalf(half, a)
			return
		}
		if _, err := io.Copy(b, a); err != nil {
			return
		}
		closeQuietly(b)
	})
	both.Wait()
}

// copyHalf copies one direction and passes its end on; an error ends both.
func copyHalf(dst closeWriter, src io.ReadCloser) {
	if _, err := io.Copy(dst, src); err != nil {
		closeQuietly(dst)
		closeQuietly(src)
		return
	}
	if err := dst.CloseWrite(); err != nil {
		closeQuietly(dst)
	}
}
