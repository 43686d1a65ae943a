package release_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/rke2/release"
)

func find(program []byte) (string, error) {
	return release.Find(bytes.NewReader(program), int64(len(program)))
}

func TestFind(t *testing.T) {
	t.Parallel()
	mark := release.Mark("v1.35.7+rke2r1")
	for name, c := range map[string]struct {
		program []byte
		want    string // empty: no release
	}{
		"marked":         {program: append([]byte("\x7fELF program"), mark...), want: "v1.35.7+rke2r1"},
		"long":           {program: append(bytes.Repeat([]byte("x"), 10_000), mark...), want: "v1.35.7+rke2r1"},
		"marked twice":   {program: append(append([]byte("p"), release.Mark("v1.34.10+rke2r1")...), mark...), want: "v1.35.7+rke2r1"},
		"unmarked":       {program: []byte("\x7fELF program")},
		"empty":          {},
		"torn":           {program: append([]byte("p"), mark[:len(mark)-1]...)},
		"without a name": {program: release.Mark("")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := find(c.program)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte("program"), "v1.35.7+rke2r1")
	f.Add(release.Mark("a"), "b")
	f.Fuzz(func(t *testing.T, program []byte, version string) {
		if _, err := find(program); err == nil && !bytes.HasSuffix(program, []byte("\n")) {
			t.Errorf("%q has a release", program)
		}
		if version == "" || len(version) > 64 || strings.ContainsAny(version, "\x00\n") {
			return
		}
		if got, err := find(append(bytes.Clone(program), release.Mark(version)...)); err != nil || got != version {
			t.Errorf("got %q, %v, want %q", got, err, version)
		}
	})
}
