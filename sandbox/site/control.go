package site

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"
)

func hashOf(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:8]
}

// ExecRequest is a command for a host.
type ExecRequest struct {
	Command string `json:"command"`
	Stdin   []byte `json:"stdin,omitempty"`
}

// ExecResult is what the command did.
type ExecResult struct {
	Stdout []byte `json:"stdout"`
	Stderr []byte `json:"stderr"`
	Code   int    `json:"code"`
}

// control is the HTTP interface on the control socket.
type control struct {
	site *Site
	stop context.CancelFunc // ends the server
}

// listenControl opens the control socket; one that a killed server left is replaced. The caller holds the lock.
func listenControl(p Paths) (net.Listener, error) {
	path := p.socketPath()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lis, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return lis, os.Chmod(path, 0o600)
}

func (c control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { reply(w, c.site.Status(), nil) })
	mux.HandleFunc("GET /kubeconfig", func(w http.ResponseWriter, _ *http.Request) {
		config, err := c.site.Kubeconfig()
		reply(w, config, err)
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		for _, m := range c.site.hosts {
			m.ResetStats()
		}
		reply(w, nil, nil)
	})
	mux.HandleFunc("POST /latency/{delay}", func(w http.ResponseWriter, r *http.Request) {
		delay, err := time.ParseDuration(r.PathValue("delay"))
		if err == nil {
			c.site.SetLatency(delay)
		}
		reply(w, nil, err)
	})
	mux.HandleFunc("POST /arp/{verb}/{address}", func(w http.ResponseWriter, r *http.Request) {
		addr, err := netip.ParseAddr(r.PathValue("address"))
		if err == nil {
			err = c.site.Arp(r.PathValue("verb"), addr)
		}
		reply(w, nil, err)
	})
	mux.HandleFunc("POST /down", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, nil, nil)
		c.stop()
	})
	mux.HandleFunc("POST /hosts/{host}/exec", c.exec)
	mux.HandleFunc("POST /hosts/{host}/{verb}", c.verb)
	return mux
}

// verb is kill, start, cut or mend.
func (c control) verb(w http.ResponseWriter, r *http.Request) {
	m, err := c.site.Machine(r.PathValue("host"))
	if err != nil {
		reply(w, nil, err)
		return
	}
	switch r.PathValue("verb") {
	case "kill":
		err = m.PowerOff()
	case "start":
		// A caller that goes away does not leave the machine half booted.
		err = m.PowerOn(context.WithoutCancel(r.Context()))
	case "cut":
		m.Net().Cut()
	case "mend":
		m.Net().Mend()
	default:
		http.NotFound(w, r)
		return
	}
	reply(w, nil, err)
}

func (c control) exec(w http.ResponseWriter, r *http.Request) {
	var req ExecRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		reply(w, nil, err)
		return
	}
	res, err := c.site.Exec(r.Context(), r.PathValue("host"), req)
	reply(w, res, err)
}

// reply answers with JSON, or with the error's text.
func reply(w http.ResponseWriter, value any, err error) {
	switch {
	case errors.Is(err, ErrUnknownHost):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		fmt.Fprintf(os.Stderr, "control: %v\n", err) // the caller is gone
	}
}

// Client talks to the server of the sandbox in a directory.
type Client struct {
	paths Paths
	http  *http.Client
}

// ErrNotRunning tells that no sandbox runs in the directory.
var ErrNotRunning = errors.New("no sandbox is running")

// NewClient makes a client; it does not connect yet.
func NewClient(p Paths) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", p.socketPath())
	}
	return &Client{paths: p, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Status asks for the sandbox's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.call(ctx, "GET", "/status", nil, &s)
}

// Kubeconfig asks for an admin kubeconfig.
func (c *Client) Kubeconfig(ctx context.Context) ([]byte, error) {
	var config []byte
	return config, c.call(ctx, "GET", "/kubeconfig", nil, &config)
}

// Host does kill, start, cut or mend to a host.
func (c *Client) Host(ctx context.Context, verb, host string) error {
	if !hostName.MatchString(host) {
		return fmt.Errorf("%q: %w", host, ErrUnknownHost)
	}
	return c.call(ctx, "POST", "/hosts/"+host+"/"+verb, nil, nil)
}

// Exec runs a command on a host as root.
func (c *Client) Exec(ctx context.Context, host string, req ExecRequest) (ExecResult, error) {
	var res ExecResult
	if !hostName.MatchString(host) {
		return res, fmt.Errorf("%q: %w", host, ErrUnknownHost)
	}
	return res, c.call(ctx, "POST", "/hosts/"+host+"/exec", req, &res)
}

// Reset sets the counters of connections and commands to zero.
func (c *Client) Reset(ctx context.Context) error { return c.call(ctx, "POST", "/reset", nil, nil) }

// Latency sets the one-way delay between hosts.
func (c *Client) Latency(ctx context.Context, d time.Duration) error {
	return c.call(ctx, "POST", "/latency/"+d.String(), nil, nil)
}

// Arp puts a foreign machine on an address ("add"), or takes it away ("remove").
func (c *Client) Arp(ctx context.Context, verb string, addr netip.Addr) error {
	return c.call(ctx, "POST", "/arp/"+verb+"/"+addr.String(), nil, nil)
}

func (c *Client) down(ctx context.Context) error { return c.call(ctx, "POST", "/down", nil, nil) }

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://sandbox"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if opErr, ok := errors.AsType[*net.OpError](err); ok && opErr.Op == "dial" {
			return fmt.Errorf("%s: %w", c.paths.Dir, ErrNotRunning)
		}
		return err
	}
	defer func() {
		if err := resp.Body.Close(); err != nil {
			return // everything that matters has been read
		}
	}()
	if resp.StatusCode != http.StatusOK {
		return readError(resp)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func readError(resp *http.Response) error {
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		return err
	}
	text := strings.TrimSpace(b.String())
	if resp.StatusCode == http.StatusNotFound {
		return remoteError{text, ErrUnknownHost}
	}
	return errors.New(text)
}

// remoteError is an error of the server with what it means here.
type remoteError struct {
	text string
	kind error
}

// Error implements error.
func (e remoteError) Error() string { return e.text }

// Unwrap lets errors.Is find the kind.
func (e remoteError) Unwrap() error { return e.kind }
