package controlplane_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

func TestEtcdConfig(t *testing.T) {
	t.Parallel()
	config, err := controlplane.EtcdConfig([]string{
		"--listen-client-urls=https://127.0.0.1:2379,https://10.10.1.10:2379", "--advertise-client-urls=https://10.10.1.10:2379",
		"--listen-peer-urls=https://10.10.1.10:2380", "--initial-advertise-peer-urls=https://10.10.1.10:2380",
		"--listen-metrics-urls=http://127.0.0.1:2381", "--peer-cert-file=peer.crt", "--name=cp1",
	})
	if err != nil {
		t.Fatal(err)
	}
	var listen []string
	for _, one := range config.ListenClientUrls {
		listen = append(listen, one.String())
	}
	if diff := cmp.Diff([]string{"https://127.0.0.1:2379", "https://10.10.1.10:2379"}, listen); diff != "" {
		t.Errorf("URLs for clients (-want +got):\n%s", diff)
	}
	if len(config.ListenMetricsUrls) != 1 || !config.PeerTLSInfo.ClientCertAuth || config.InitialCluster != "cp1=https://10.10.1.10:2380" {
		t.Errorf("metrics %v, peers %v, cluster %q", config.ListenMetricsUrls, config.PeerTLSInfo, config.InitialCluster)
	}
}

func FuzzParseURLs(f *testing.F) {
	f.Add("https://127.0.0.1:2379,https://10.10.1.10:2379")
	f.Add(",")
	f.Fuzz(func(t *testing.T, text string) {
		urls, err := controlplane.ParseURLs(text)
		if err == nil && len(urls) > strings.Count(text, ",")+1 {
			t.Errorf("%q: %d URLs", text, len(urls))
		}
	})
}
