package controlplane

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
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
	clientURLs := flags.String("listen-client-urls", "", "URLs of the client API, https")
	advertiseClientURLs := flags.String("advertise-client-urls", "", "URLs that clients are told")
	peerURLs := flags.String("listen-peer-urls", "", "URLs for peers")
	advertisePeerURLs := flags.String("initial-advertise-peer-urls", "", "URLs of this member as the cluster knows it")
	metricsURLs := flags.String("listen-metrics-urls", "", "URLs for metrics and health, besides the client API")
	config.ClientTLSInfo = transport.TLSInfo{ClientCertAuth: true}
	flags.StringVar(&config.ClientTLSInfo.CertFile, "cert-file", "", "serving certificate")
	flags.StringVar(&config.ClientTLSInfo.KeyFile, "key-file", "", "key of the serving certificate")
	flags.StringVar(&config.ClientTLSInfo.TrustedCAFile, "trusted-ca-file", "", "CA of the clients")
	flags.StringVar(&config.PeerTLSInfo.CertFile, "peer-cert-file", "", "certificate between peers")
	flags.StringVar(&config.PeerTLSInfo.KeyFile, "peer-key-file", "", "key of the certificate between peers")
	flags.StringVar(&config.PeerTLSInfo.TrustedCAFile, "peer-trusted-ca-file", "", "CA of the peers")
	flags.Int64Var(&config.QuotaBackendBytes, "quota-backend-bytes", 0, "largest size of the database, 0 for etcd's default")
	flags.StringVar(&config.LogLevel, "log-level", "warn", "least level that is logged")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	config.PeerTLSInfo.ClientCertAuth = config.PeerTLSInfo.CertFile != ""
	for target, text := range map[*[]url.URL]string{
		&config.ListenClientUrls: *clientURLs, &config.AdvertiseClientUrls: *advertiseClientURLs,
		&config.ListenPeerUrls: *peerURLs, &config.AdvertisePeerUrls: *advertisePeerURLs, &config.ListenMetricsUrls: *metricsURLs,
	} {
		urls, err := parseURLs(text)
		if err != nil {
			return nil, err
		}
		*target = urls
	}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogOutputs = []string{"stderr"}
	config.GRPCKeepAliveMinTime = 5 * time.Second
	return config, nil
}

// parseURLs reads URLs that are separated by commas.
func parseURLs(text string) ([]url.URL, error) {
	var urls []url.URL
	for _, one := range strings.Split(text, ",") {
		if one == "" {
			continue
		}
		parsed, err := url.Parse(one)
		if err != nil {
			return nil, err
		}
		urls = append(urls, *parsed)
	}
	return urls, nil
}
