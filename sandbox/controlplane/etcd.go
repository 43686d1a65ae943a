package controlplane

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd is the etcd component: a single member that keeps its data durable (fsync on), so that it survives a power cut.
func runEtcd(args []string) int {
	config, err := etcdConfig(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "etcd: %v\n", err)
		return 2
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	server, err := embed.StartEtcd(config)
	if err != nil {
		fmt.Fprintf(os.Stderr, "etcd: %v\n", err)
		return 1
	}
	select {
	case <-stop:
		server.Close()
		return 0
	case err := <-server.Err():
		fmt.Fprintf(os.Stderr, "etcd: %v\n", err)
		return 1
	case <-server.Server.StopNotify():
		fmt.Fprintln(os.Stderr, "etcd: the server stopped by itself")
		return 1
	}
}

func etcdConfig(args []string) (*embed.Config, error) {
	config := embed.NewConfig()
	flags := flag.NewFlagSet(Etcd, flag.ContinueOnError)
	flags.StringVar(&config.Dir, "data-dir", "", "directory of the data")
	flags.StringVar(&config.Name, "name", "default", "name of the member")
	clientURL := flags.String("listen-client-url", "", "URL of the client API, https")
	peerURL := flags.String("listen-peer-url", "", "URL for peers")
	advertisePeerURL := flags.String("initial-advertise-peer-url", "", "URL of this member as the cluster knows it")
	config.ClientTLSInfo = transport.TLSInfo{ClientCertAuth: true}
	flags.StringVar(&config.ClientTLSInfo.CertFile, "cert-file", "", "serving certificate")
	flags.StringVar(&config.ClientTLSInfo.KeyFile, "key-file", "", "key of the serving certificate")
	flags.StringVar(&config.ClientTLSInfo.TrustedCAFile, "trusted-ca-file", "", "CA of the clients")
	flags.Int64Var(&config.QuotaBackendBytes, "quota-backend-bytes", 0, "largest size of the database, 0 for etcd's default")
	flags.StringVar(&config.LogLevel, "log-level", "warn", "least level that is logged")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	for target, text := range map[*[]url.URL]string{
		&config.ListenClientUrls: *clientURL, &config.AdvertiseClientUrls: *clientURL,
		&config.ListenPeerUrls: *peerURL, &config.AdvertisePeerUrls: *advertisePeerURL,
	} {
		parsed, err := url.Parse(text)
		if err != nil {
			return nil, err
		}
		*target = []url.URL{*parsed}
	}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogOutputs = []string{"stderr"}
	config.GRPCKeepAliveMinTime = 5 * time.Second
	return config, nil
}
