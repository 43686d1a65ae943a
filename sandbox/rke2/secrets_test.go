package rke2_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/rke2"
)

func TestBootstrapNeedsItsToken(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{"server-ca.crt": []byte("certificate"), "server-ca.key": []byte("key of the CA")}
	sealed, err := rke2.SealBootstrap("s3cret", files)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, files["server-ca.key"]) {
		t.Error("the key can be read in the sealed data")
	}
	if _, err := rke2.OpenBootstrap("other", sealed); err == nil {
		t.Error("another token opens the data")
	}
	opened, err := rke2.OpenBootstrap("s3cret", sealed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files, opened); diff != "" {
		t.Errorf("opened data (-want +got):\n%s", diff)
	}
}

func FuzzOpenBootstrap(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, 40))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if _, err := rke2.OpenBootstrap("s3cret", sealed); err == nil {
			t.Errorf("%x was opened although nobody sealed it", sealed)
		}
	})
}

func TestNodePasswordHash(t *testing.T) {
	t.Parallel()
	hash, err := rke2.HashPassword("pw")
	if err != nil {
		t.Fatal(err)
	}
	if err := rke2.CheckPassword(hash, "pw"); err != nil {
		t.Error(err)
	}
	if err := rke2.CheckPassword(hash, "pW"); err == nil {
		t.Error("another password fits")
	}
}

func FuzzCheckPassword(f *testing.F) {
	f.Add("$1:00:1:1:1:AA")
	f.Add("$1:0011223344556677:12:8:1:")
	f.Add("$1:::::")
	f.Fuzz(func(t *testing.T, hash string) {
		if err := rke2.CheckPassword(hash, "pw"); err == nil {
			t.Errorf("%q fits although it was made for no password", hash)
		}
	})
}
