package providers

import (
	"context"
	"net"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/schema"
)

// Host is an open connection to a host. It is safe for concurrent use.
type Host interface {
	// Run runs a script as root. A script that ended with another exit code than 0 is no error of Run: look at the reply. An error
	// means that the host did not answer, or that the connection was lost before the end, when it is not known what ran.
	Run(ctx context.Context, s *shell.Script) (Reply, error)

	// Dial opens a connection from the host, such as to 127.0.0.1:6443.
	Dial(ctx context.Context, network, addr string) (net.Conn, error)

	Close() error
}

// Connector opens connections to hosts.
type Connector interface {
	// Connect returns the one connection to the host; it checks the host's key. Errors say what to do: *HostKeyError, *AuthError, *UnreachableError of internal/remote.
	Connect(ctx context.Context, h HostSpec) (Host, error)
}

// Session is what a provider may use during a probe or a run.
type Session interface {
	// Host returns the connection to a host of the plan; it is opened at the first call.
	Host(ctx context.Context, name string) (Host, error)

	// Fact returns a host's reply to a Fact question, from the probe; ok is false where the host did not answer.
	Fact(host, name string) (reply Reply, ok bool)

	// Progress tells what a running change waits for, in a few words.
	Progress(addr schema.Addr, text string)
}
