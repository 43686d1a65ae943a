package kube_test

import (
	"os"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/expertflow/cxha/providers/providertest"
)

// server is the package's one API server.
var server providertest.APIServer

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// apiServer is access to the package's API server.
type apiServer struct {
	kubeconfig string
	client     *kubernetes.Clientset
}

// realAPI returns the package's API server, emptied. Tests that use it do not run in parallel.
func realAPI(t *testing.T) *apiServer {
	t.Helper()
	server.Start(t)
	config := clientcmdapi.NewConfig()
	config.Clusters["default"] = &clientcmdapi.Cluster{Server: server.URL, CertificateAuthorityData: server.CA}
	config.AuthInfos["default"] = &clientcmdapi.AuthInfo{Token: server.Token}
	config.Contexts["default"] = &clientcmdapi.Context{Cluster: "default", AuthInfo: "default"}
	config.CurrentContext = "default"
	kubeconfig, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: server.URL, BearerToken: server.Token, TLSClientConfig: rest.TLSClientConfig{CAData: server.CA}, QPS: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	empty(t, client)
	return &apiServer{kubeconfig: string(kubeconfig), client: client}
}
