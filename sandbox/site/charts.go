package site

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// ChartSources are where the operator's computer finds charts.
type ChartSources struct {
	Repository string `json:"repository"` // an HTTP repository
	Registry   string `json:"registry"`   // an OCI registry; /NAME follows
}

// ChartServer serves the charts on the real 127.0.0.1, since it is the operator's computer that reads them.
type ChartServer struct {
	server  *http.Server
	port    int
	serving sync.WaitGroup
}

// ServeCharts takes the wanted port if it is free, and another one otherwise.
func ServeCharts(handler http.Handler, port int) (*ChartServer, error) {
	lis, err := ListenLoopback(port)
	if err != nil {
		return nil, err
	}
	c := &ChartServer{
		server: &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second}, port: lis.Addr().(*net.TCPAddr).Port,
	}
	c.serving.Go(func() {
		if err := c.server.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(os.Stderr, "charts: %v\n", err)
		}
	})
	return c, nil
}

// Close ends the server.
func (c *ChartServer) Close() error {
	err := c.server.Close()
	c.serving.Wait()
	return err
}

// Port is the port on 127.0.0.1; 0 when there are no charts.
func (c *ChartServer) Port() int {
	if c == nil {
		return 0
	}
	return c.port
}

// Sources are nil when there are no charts.
func (c *ChartServer) Sources() *ChartSources {
	if c == nil {
		return nil
	}
	return &ChartSources{
		Repository: fmt.Sprintf("http://127.0.0.1:%d/charts", c.port), Registry: fmt.Sprintf("oci://127.0.0.1:%d/charts", c.port),
	}
}
