package site

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Client talks to the server of the sandbox in a directory.
type Client struct {
	paths Paths
	http  *http.Client
}

// ErrNotRunning tells that neither a sandbox nor a lab runs in the directory.
var ErrNotRunning = errors.New("nothing is running here")

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

// Do has an action done, and returns what it prints.
func (c *Client) Do(ctx context.Context, verb string, args ...string) ([]byte, error) {
	var out []byte
	return out, c.call(ctx, "POST", "/do", Action{Verb: verb, Args: args}, &out)
}

// Exec runs a command on a host as root.
func (c *Client) Exec(ctx context.Context, host string, req ExecRequest) (ExecResult, error) {
	var res ExecResult
	if !hostName.MatchString(host) {
		return res, fmt.Errorf("%q: %w", host, ErrUnknownHost)
	}
	return res, c.call(ctx, "POST", "/exec/"+host, req, &res)
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
	switch resp.StatusCode {
	case http.StatusNotFound:
		return remoteError{text, ErrUnknownHost}
	case http.StatusNotImplemented:
		return remoteError{text, ErrUnsupported}
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
