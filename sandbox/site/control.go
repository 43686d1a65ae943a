package site

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
)

// control is the HTTP interface on the control socket.
type control struct {
	world World
	stop  context.CancelFunc // ends the server
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
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		status, err := c.world.Status(r.Context())
		reply(w, status, err)
	})
	mux.HandleFunc("POST /do", func(w http.ResponseWriter, r *http.Request) {
		var a Action
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			reply(w, nil, err)
			return
		}
		// A caller that goes away does not leave a machine half booted.
		out, err := c.world.Do(context.WithoutCancel(r.Context()), a)
		reply(w, out, err)
	})
	mux.HandleFunc("POST /down", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, nil, nil)
		c.stop()
	})
	mux.HandleFunc("POST /exec/{host}", func(w http.ResponseWriter, r *http.Request) {
		var req ExecRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			reply(w, nil, err)
			return
		}
		res, err := c.world.Exec(r.Context(), r.PathValue("host"), req)
		reply(w, res, err)
	})
	return mux
}

// reply answers with JSON, or with the error's text.
func reply(w http.ResponseWriter, value any, err error) {
	switch {
	case errors.Is(err, ErrUnknownHost):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case errors.Is(err, ErrUnsupported):
		http.Error(w, err.Error(), http.StatusNotImplemented)
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
