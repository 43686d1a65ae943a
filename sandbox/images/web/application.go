package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// identity is who answers.
type identity struct{ pod, node, version string }

// identify reads who this is from the environment: POD_NAME and NODE_NAME are what a pod's manifest gives by fieldRef.
func identify(version string) identity {
	return identity{
		pod: cmp.Or(os.Getenv("POD_NAME"), os.Getenv("HOSTNAME"), "unknown"), node: cmp.Or(os.Getenv("NODE_NAME"), "unknown"),
		version: cmp.Or(version, "unknown"),
	}
}

func (i identity) String() string {
	return fmt.Sprintf("pod=%s node=%s version=%s", i.pod, i.node, i.version)
}

// application answers requests.
type application struct {
	who    identity
	files  *store // nil: none are kept
	grace  time.Duration
	ending atomic.Bool // the signal to end has come
}

func (a *application) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.hello)
	mux.HandleFunc("GET /alive", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /lookup", a.lookup)
	mux.HandleFunc("GET /slow", a.slow)
	if a.files != nil {
		mux.HandleFunc("GET /files/{name}", a.read)
		mux.HandleFunc("PUT /files/{name}", a.write)
	}
	return mux
}

// hello tells who answers; the greeting is the chart's ConfigMap's.
func (a *application) hello(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "%s %s\n", cmp.Or(os.Getenv("greeting"), "Hello"), a.who)
}

func (a *application) health(w http.ResponseWriter, _ *http.Request) {
	if a.ending.Load() {
		http.Error(w, "ending", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// lookup tells the addresses of ?name=NAME as this pod finds them: the cluster's DNS at work.
func (a *application) lookup(w http.ResponseWriter, r *http.Request) {
	addresses, err := net.DefaultResolver.LookupHost(r.Context(), r.URL.Query().Get("name"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fmt.Fprintln(w, strings.Join(addresses, " "))
}

// slow answers after ?for=DURATION, at most a minute: requests that are on their way when a pod ends.
func (a *application) slow(w http.ResponseWriter, r *http.Request) {
	wait, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil || wait < 0 || wait > time.Minute {
		http.Error(w, "for: want a duration of at most 1m", http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(wait):
		a.hello(w, r)
	case <-r.Context().Done():
	}
}

func (a *application) read(w http.ResponseWriter, r *http.Request) {
	content, err := a.files.read(r.PathValue("name"))
	if err != nil {
		fail(w, err)
		return
	}
	if _, err := w.Write(content); err != nil {
		return // the client is gone
	}
}

// largest is the largest file that is taken, in bytes.
const largest = 1 << 20

func (a *application) write(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
	if err == nil {
		err = a.files.write(r.PathValue("name"), content)
	}
	if err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errName):
		status = http.StatusBadRequest
	case errors.Is(err, fs.ErrNotExist):
		status = http.StatusNotFound
	}
	http.Error(w, err.Error(), status)
}
