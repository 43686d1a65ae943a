package rke2_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// authority is a certificate authority as hosts have it in a file.
func authority(t testing.TB) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certificate(t, key, "rke2-server-ca", 1)
}

func certificate(t testing.TB, key ed25519.PrivateKey, name string, serial int64) []byte {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// fileLine is a file as a host tells of it; nil: there is none.
func fileLine(content []byte) string {
	if content == nil {
		return "absent\n"
	}
	return fmt.Sprintf("file 600 root:root 0:0 %d =%s\n", len(content), base64.StdEncoding.EncodeToString(content))
}

// credentials are what a host has of a cluster.
type credentials struct{ serves, member, node []byte }

func (h credentials) value(t testing.TB) cty.Value {
	t.Helper()
	k := providertest.Kind(t, rke2.New(rke2.Options{}), "rke2.membership")
	v, err := k.Answer(providers.Resource{}, providers.Reply{Stdout: fileLine(h.serves) + fileLine(h.member) + fileLine(h.node)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGuard(t *testing.T) {
	t.Parallel()
	ours, theirs := authority(t), authority(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	node := func(name string) []byte { return certificate(t, key, "system:node:"+name, 2) }
	server := credentials{serves: ours, member: ours, node: node("cp1")}
	agent := func(ca []byte, name string) credentials { return credentials{member: ca, node: node(name)} }
	for name, c := range map[string]struct {
		hosts map[string]credentials // by block; those that are not named are bare
		hide  string                 // a host that did not answer
		want  []string               // in the refusals, one each
	}{
		"bare machines":                     {hosts: map[string]credentials{}},
		"a cluster and its workers":         {hosts: map[string]credentials{"control_plane.cp1": server, "worker.w1": agent(ours, "w1"), "worker.w2": agent(ours, "w2")}},
		"a worker that has not joined":      {hosts: map[string]credentials{"control_plane.cp1": server, "worker.w1": agent(ours, "w1")}},
		"a worker with a new name":          {hosts: map[string]credentials{"control_plane.cp1": server, "worker.w1": agent(ours, "w7")}},
		"an authority that was rotated":     {hosts: map[string]credentials{"control_plane.cp1": {serves: bytes.Join([][]byte{theirs, ours}, nil), node: node("cp1")}, "worker.w1": agent(ours, "w1")}},
		"half a file":                       {hosts: map[string]credentials{"control_plane.cp1": server, "worker.w1": agent(ours[:len(ours)/2], "w1")}},
		"control plane did not answer":      {hosts: map[string]credentials{"worker.w1": agent(ours, "w1")}, hide: "control_plane.cp1"},
		"worker did not answer":             {hosts: map[string]credentials{"control_plane.cp1": server}, hide: "worker.w1"},
		"control plane is bare":             {hosts: map[string]credentials{"worker.w1": agent(ours, "w1"), "worker.w2": agent(ours, "w2")}, want: []string{"Workers w1 and w2 belong to a running cluster whose control plane is"}},
		"control plane is bare, one joined": {hosts: map[string]credentials{"worker.w2": agent(ours, "w2")}, want: []string{"Worker w2 belongs to a running cluster"}},
		"control plane was a worker":        {hosts: map[string]credentials{"control_plane.cp1": agent(ours, "w9"), "worker.w1": agent(ours, "w1")}, want: []string{"is a worker of a running cluster (its node is w9)"}},
		"another cluster's worker":          {hosts: map[string]credentials{"control_plane.cp1": server, "worker.w1": agent(ours, "w1"), "worker.w2": agent(theirs, "x")}, want: []string{"Worker w2 belongs to another cluster"}},
		"another cluster's control plane":   {hosts: map[string]credentials{"control_plane.cp1": server, "worker.w2": {serves: theirs, member: theirs, node: node("cpx")}}, want: []string{"is the control plane of a cluster (its node is cpx)"}},
		"control plane has another name":    {hosts: map[string]credentials{"control_plane.cp1": {serves: ours, member: ours, node: node("cp0")}}, want: []string{`name = "cp0"`}},
		"two causes": {
			hosts: map[string]credentials{"control_plane.cp1": {serves: ours, node: node("cp0")}, "worker.w1": agent(theirs, "w1")},
			want:  []string{"node is called cp0", "Worker w1 belongs to another cluster"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp := providertest.Blueprint()
			diags := rke2.New(rke2.Options{}).(providers.Guard).Guard(bp, func(a schema.Addr) (cty.Value, bool) {
				if block := a.Block.String(); a.Type == "rke2.membership" && block != c.hide {
					return c.hosts[block].value(t), true
				}
				return cty.NilVal, false
			})
			if len(diags) != len(c.want) {
				t.Fatalf("%d refusals, want %d: %v", len(diags), len(c.want), diags)
			}
			for i, want := range c.want {
				if d := diags[i]; !strings.Contains(d.Detail, want) || d.Subject == nil || d.Subject.Filename == "" {
					t.Errorf("refusal %d is\n%s\nat %v, want %q in it and a place", i, d.Detail, d.Subject, want)
				}
			}
		})
	}
}

// A long list of workers is one sentence.
func TestGuardNamesFewWorkers(t *testing.T) {
	t.Parallel()
	ours := authority(t)
	bp := providertest.Blueprint()
	bp.Workers = nil
	for i := range 9 {
		name := fmt.Sprintf("w%d", i)
		bp.Workers = append(bp.Workers, blueprint.Node{Addr: schema.BlockAddr{Type: "worker", Name: name}, Name: name, Role: blueprint.Worker, Address: netip.MustParseAddr("10.10.1.11"), Source: providertest.Source(30 + i)})
	}
	diags := rke2.New(rke2.Options{}).(providers.Guard).Guard(bp, func(a schema.Addr) (cty.Value, bool) {
		switch {
		case a.Type != "rke2.membership":
			return cty.NilVal, false
		case a.Block.Type == "worker":
			return credentials{member: ours}.value(t), true
		default:
			return credentials{}.value(t), true
		}
	})
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, "Workers w0, w1, w2, w3, w4 and 4 more belong") {
		t.Errorf("the refusals are %v, want one that names five workers", diags)
	}
}

func FuzzMembership(f *testing.F) {
	f.Add(fileLine(authority(f)) + "absent\nabsent\n")
	f.Add("directory 755 root:root 0:0 0\nsymlink\nother\n")
	f.Add(fileLine([]byte("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")) + "absent\nabsent\n")
	k := providertest.Kind(f, rke2.New(rke2.Options{}), "rke2.membership")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := k.Answer(providers.Resource{}, providers.Reply{Stdout: text})
		if err == nil && !v.Type().Equals(k.Type().Object) {
			t.Errorf("the value is a %s", v.Type().FriendlyName())
		}
	})
}
