package players_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/expertflow/cxha/sandbox/players"
)

func TestParseRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		first, last string
		size        int64
		message     string
	}{
		"10.10.1.50/32":         {"10.10.1.50", "10.10.1.50", 1, ""},
		"10.10.1.55/28":         {"10.10.1.48", "10.10.1.63", 16, ""},
		"10.0.0.1-10.0.0.9":     {"10.0.0.1", "10.0.0.9", 9, ""},
		" 10.0.0.1 - 10.0.1.0 ": {"10.0.0.1", "10.0.1.0", 256, ""},
		"fd00::/120":            {"fd00::", "fd00::ff", 256, ""},
		"::/0":                  {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1<<63 - 1, ""},
		"10.0.0.9-10.0.0.1":     {message: "after the end IP"},
		"10.0.0.1-fd00::1":      {message: "not the same IP family"},
		"10.0.0.1-x":            {message: `invalid end IP "x"`},
		"x-10.0.0.1":            {message: `invalid start IP "x"`},
		"10.0.0.1":              {message: `invalid CIDR "10.0.0.1"`},
		"10.0.0.1/33":           {message: "invalid CIDR"},
	} {
		first, last, size, err := players.ParseRange(text)
		if want.message != "" {
			if err == nil || !strings.Contains(err.Error(), want.message) {
				t.Errorf("%q: got %v, want %q", text, err, want.message)
			}
			continue
		}
		if err != nil || first.String() != want.first || last.String() != want.last || size != want.size {
			t.Errorf("%q: got %s to %s, %d addresses, %v; want %+v", text, first, last, size, err, want)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, text := range []string{"10.0.0.0/24", "10.0.0.1-10.0.0.2", "fd00::/64", "::ffff:10.0.0.0/120", "fe80::1%eth0-fe80::2%eth0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, last, size, err := players.ParseRange(text)
		if err == nil && (last.Less(first) || size < 1 || first.BitLen() != last.BitLen()) {
			t.Errorf("%q: %s to %s, %d addresses", text, first, last, size)
		}
	})
}

func TestValidation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		validate func(raw []byte) error
		spec     string
		message  string // "" for what is right
	}{
		"l2":                   {players.ValidateL2, `{"ipAddressPools": ["a"], "nodeSelectors": [{"matchLabels": {"x": "y"}}]}`, ""},
		"l2 twice":             {players.ValidateL2, `{"ipAddressPools": ["a", "a"]}`, "duplicate ipAddressPools: a"},
		"l2 selector":          {players.ValidateL2, `{"nodeSelectors": [{"matchExpressions": [{"key": "x", "operator": "Sometimes"}]}]}`, "is not a valid label selector operator"},
		"bgp":                  {players.ValidateBGP, `{"aggregationLength": 32, "peers": ["p"]}`, ""},
		"bgp length":           {players.ValidateBGP, `{"aggregationLength": 33}`, "invalid aggregation length 33"},
		"bgp length 6":         {players.ValidateBGP, `{"aggregationLengthV6": 129}`, "invalid aggregation length 129"},
		"peer":                 {players.ValidatePeer, `{"myASN": 64500, "peerASN": 64501, "peerAddress": "10.0.0.1", "holdTime": "90s"}`, ""},
		"peer without ASN":     {players.ValidatePeer, `{"peerASN": 64501, "peerAddress": "10.0.0.1"}`, "missing local ASN"},
		"peer without peer":    {players.ValidatePeer, `{"myASN": 64500, "peerAddress": "10.0.0.1"}`, "missing peer ASN"},
		"peer with both":       {players.ValidatePeer, `{"myASN": 1, "peerASN": 2, "dynamicASN": "external", "peerAddress": "10.0.0.1"}`, "both peer ASN and dynamicASN"},
		"peer without address": {players.ValidatePeer, `{"myASN": 1, "peerASN": 2}`, "peerAddress or interface"},
		"peer address":         {players.ValidatePeer, `{"myASN": 1, "peerASN": 2, "peerAddress": "nobody"}`, `invalid BGPPeer address "nobody"`},
		"peer hold time":       {players.ValidatePeer, `{"myASN": 1, "peerASN": 2, "peerAddress": "10.0.0.1", "holdTime": "1s"}`, "invalid hold time"},
		"community":            {players.ValidateCommunity, `{"communities": [{"name": "a", "value": "64500:1"}]}`, ""},
		"no community":         {players.ValidateCommunity, `{"communities": [{"name": "a", "value": "x"}]}`, "invalid community"},
	} {
		err := c.validate([]byte(`{"metadata": {"name": "n"}, "spec": ` + c.spec + `}`))
		if c.message == "" && err != nil || c.message != "" && (err == nil || !strings.Contains(err.Error(), c.message)) {
			t.Errorf("%s: got %v, want %q", name, err, c.message)
		}
	}
}

// TestPodNetwork dials a pod that a player stands for, one that nobody stands for, and what is no address.
func TestPodNetwork(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var pods players.PodNetwork
	pod := netip.MustParseAddrPort("10.42.1.7:9443")
	withdraw := pods.Expose(pod, listener.Addr().String())
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = io.WriteString(conn, "hello")
			err = errors.Join(err, conn.Close())
		}
		served <- err
	}()
	conn, err := pods.Dial(t.Context(), pod.String())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || string(text) != "hello" {
		t.Errorf("read %q, %v", text, err)
	}
	if err := errors.Join(<-served, conn.Close(), listener.Close()); err != nil {
		t.Error(err)
	}
	if _, err := pods.Dial(t.Context(), pod.String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a player that listens no more: %v", err)
	}
	withdraw()
	for _, address := range []string{pod.String(), "10.42.1.8:80"} {
		if _, err := pods.Dial(t.Context(), address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := pods.Dial(t.Context(), "nowhere"); err == nil {
		t.Error("what is no address can be dialled")
	}
}
