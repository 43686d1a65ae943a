package remote

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Options says how a Connector works. The zero value is good: it means the defaults given here.
type Options struct {
	MaxDials    int           // handshakes at one time, in total; 256
	Timeout     time.Duration // for connecting and shaking hands with one host, waiting for MaxDials not counted; 10 s
	Retries     int           // how often a handshake that the server cut off is tried again; 2, negative: never
	Backoff     time.Duration // before the first retry, doubled each time; 250 ms
	KeepAlive   time.Duration // how often a connection is tried; it is given up when three in a row are not answered; 15 s
	MaxOutput   int64         // bytes of stdout, and of stderr, that one script may print; 16 MiB
	AgentSocket string        // where the SSH agent listens; $SSH_AUTH_SOCK

	// Logf is called for each connection and command, with a line for somebody who looks for a fault; may be nil. It never sees a script's text.
	Logf func(format string, args ...any)
}

// maxSessions is how many scripts run on one connection at a time. The default of sshd's MaxSessions is 10.
const maxSessions = 8

func (o Options) withDefaults() Options {
	if o.MaxDials <= 0 {
		o.MaxDials = 256
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Retries == 0 {
		o.Retries = 2
	}
	if o.Backoff <= 0 {
		o.Backoff = 250 * time.Millisecond
	}
	if o.KeepAlive <= 0 {
		o.KeepAlive = 15 * time.Second
	}
	if o.MaxOutput <= 0 {
		o.MaxOutput = 16 << 20
	}
	if o.AgentSocket == "" {
		o.AgentSocket = os.Getenv("SSH_AUTH_SOCK")
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	return o
}

// Connector opens and keeps the SSH connections of one run of cxha. It is safe for concurrent use.
type Connector struct {
	opts  Options
	dials chan struct{} // a token per handshake under way
	keys  keyring
	known knownHosts
	count counters

	mu       sync.Mutex // guards what follows
	hosts    map[hostKey]*Host
	bastions map[bastionKey]*link
	closed   bool
}

var _ providers.Connector = (*Connector)(nil)

// NewConnector returns a Connector without any connection.
func NewConnector(o Options) *Connector {
	o = o.withDefaults()
	return &Connector{
		opts:     o,
		dials:    make(chan struct{}, o.MaxDials),
		keys:     keyring{socket: o.AgentSocket},
		hosts:    make(map[hostKey]*Host),
		bastions: make(map[bastionKey]*link),
	}
}

// hostKey tells hosts apart: the same name reached in another way is another host.
type hostKey struct {
	name, address string
	login         login
	bastion       bastionKey
}

// bastionKey tells bastions apart; the zero value is none.
type bastionKey struct {
	address string
	login   login
}

// Connect returns the one connection to the host, made now if there is none: calls with equal specs get the same Host.
// Errors are *HostKeyError, *AuthError or *UnreachableError; when ctx ends, its error.
func (c *Connector) Connect(ctx context.Context, spec providers.HostSpec) (providers.Host, error) {
	h, err := c.host(spec)
	if err != nil {
		return nil, err
	}
	if _, err := h.link.get(ctx); err != nil {
		return nil, h.explain(ctx, err)
	}
	return h, nil
}

var errClosed = errors.New("connector is closed")

func (c *Connector) host(spec providers.HostSpec) (*Host, error) {
	key := keyOf(spec)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, &UnreachableError{Target: targetOf(key), Reason: errClosed.Error()}
	}
	h := c.hosts[key]
	if h == nil {
		h = c.newHost(key)
		c.hosts[key] = h
	}
	return h, nil
}

// bastion returns the link to a bastion, shared by all hosts behind it.
func (c *Connector) bastion(key bastionKey) *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.bastions[key]
	if l == nil {
		t := Target{Bastion: withoutDefaultPort(key.address)}
		l = newLink(func(ctx context.Context) (*conn, error) {
			conn, err := c.dial(ctx, t, key.login, key.address, c.tcp)
			if err == nil {
				c.count.bastion()
			}
			return conn, err
		})
		if c.closed {
			l.close()
		}
		c.bastions[key] = l
	}
	return l
}

func (c *Connector) forget(h *Host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hosts[h.key] == h {
		delete(c.hosts, h.key)
	}
}

// Warnings returns what somebody should know of the known_hosts files that were read, in full sentences; each is returned once.
func (c *Connector) Warnings() []string { return c.known.takeWarnings() }

// Close closes every connection and stops what is being dialled. Scripts that run end with an error.
func (c *Connector) Close() error {
	c.mu.Lock()
	c.closed = true
	var links []*link
	for _, h := range c.hosts {
		links = append(links, h.link)
	}
	for _, l := range c.bastions {
		links = append(links, l) // after the hosts behind them, which then can say goodbye
	}
	c.mu.Unlock()
	for _, l := range links {
		l.close()
	}
	return c.keys.close()
}

func keyOf(spec providers.HostSpec) hostKey {
	s := spec.SSH
	key := hostKey{name: spec.Name, address: join(spec.Address, s.Port), login: loginOf(s)}
	if b := s.Bastion; b != nil {
		behind := blueprint.SSH{User: b.User, Key: b.Key, KnownHosts: s.KnownHosts, Agent: s.Agent}
		if b.User == "" {
			behind.User = s.User
		}
		if b.Key == "" {
			behind.Key = s.Key
		}
		key.bastion = bastionKey{address: join(b.Address, b.Port), login: loginOf(behind)}
	}
	return key
}

func targetOf(key hostKey) Target {
	return Target{Host: key.name, Address: withoutDefaultPort(key.address)}
}

func quote(s string) string { return shell.Quote(s) }
