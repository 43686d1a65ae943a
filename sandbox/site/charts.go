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

// chartServer serves the charts on the real 127.0.0.1, since it is the operator's computer that reads them.
type chartServer struct {
	server  *http.Server
	port    int
	serving sync.WaitGroup
}

func serveCharts(handler http.Handler, port int) (*chartServer, error) {
	lis, err := listenLoopback(port)
	if err != nil {
		return nil, err
	}
	c := &chartServer{
		server: &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second}, port: lis.Addr().(*net.TCPAddr).Port,
	}
	c.serving.Go(func() {
		if err := c.server.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(os.Stderr, "charts: %v\n", err)
		}
	})
	return c, nil
}

func (c *chartServer) close() error {
	err := c.server.Close()
	c.serving.Wait()
	return err
}

// addresses are nil when there are no charts.
func (c *chartServer) addresses() *ChartSources {
	if c == nil {
		return nil
	}
	return &ChartSources{
		Repository: fmt.Sprintf("http://127.0.0.1:%d/charts", c.port), Registry: fmt.Sprintf("oci://127.0.0.1:%d/charts", c.port),
	}
}
