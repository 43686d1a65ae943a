package helm_test

import (
	"os"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/expertflow/cxha/providers/providertest"
)

// server is the package's one API server.
var server providertest.APIServer

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// apiServer is access to the package's API server.
type apiServer struct {
	config *rest.Config
	client *kubernetes.Clientset
}

// realAPI returns the package's API server. Tests share it: each has namespaces of its own.
func realAPI(t *testing.T) *apiServer {
	t.Helper()
	server.Start(t)
	config := &rest.Config{
		Host: server.URL, BearerToken: server.Token, TLSClientConfig: rest.TLSClientConfig{CAData: server.CA}, QPS: -1,
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &apiServer{config: config, client: client}
}
