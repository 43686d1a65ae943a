package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "web: %v\n", err)
		os.Exit(1)
	}
}

// settings are the command line's options.
type settings struct {
	listen  string
	data    string
	version string
	grace   time.Duration
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("web", flag.ContinueOnError)
	flags.StringVar(&s.listen, "listen", ":8080", "address to listen on")
	flags.StringVar(&s.data, "data", "", "directory for files; empty: none are kept")
	flags.StringVar(&s.version, "version", "", "version to tell")
	flags.DurationVar(&s.grace, "grace", 3*time.Second, "how long requests are still taken after the signal to end")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return s, err
}

// run serves until the context ends, and then as long as clients may not have heard of it.
func run(ctx context.Context, args []string, out io.Writer) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	app := &application{who: identify(s.version), grace: s.grace}
	if s.data != "" {
		if app.files, err = openStore(s.data, app.who); err != nil {
			return fmt.Errorf("directory %s: %w", s.data, err)
		}
		defer app.files.close()
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: listening on %s\n", app.who, listener.Addr())
	return app.serve(ctx, listener, out)
}

// serve answers requests until some time after the context has ended: /healthz fails at once, so that the pod is taken out of
// its Services while requests that are on their way are still answered.
func (a *application) serve(ctx context.Context, listener net.Listener, out io.Writer) error {
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.ending.Store(true)
	fmt.Fprintf(out, "%s: ending in %s\n", a.who, a.grace)
	select {
	case err := <-failed:
		return err
	case <-time.After(a.grace):
	}
	last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := server.Shutdown(last)
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
