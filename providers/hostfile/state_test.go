package hostfile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/providers/hostfile"
)

func TestParseState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line string
		want hostfile.State
		bad  bool
	}{
		"file":          {line: "file 644 root:adm 0:4 3 =YWJj", want: hostfile.State{Type: "file", Mode: "0644", Owner: "root:adm", OwnerID: "0:4", Size: 3, Content: []byte("abc"), Whole: true}},
		"empty file":    {line: "file 0 root:root 0:0 0 =", want: hostfile.State{Type: "file", Mode: "0000", Owner: "root:root", OwnerID: "0:0", Content: []byte{}, Whole: true}},
		"large file":    {line: "file 1755 root:root 0:0 9999999", want: hostfile.State{Type: "file", Mode: "1755", Owner: "root:root", OwnerID: "0:0", Size: 9999999}},
		"directory":     {line: "directory 755 root:root 0:0 4096", want: hostfile.State{Type: "directory", Mode: "0755", Owner: "root:root", OwnerID: "0:0", Size: 4096}},
		"symlink":       {line: "symlink", want: hostfile.State{Type: "symlink"}},
		"absent":        {line: "absent\n", want: hostfile.State{Type: "absent"}},
		"nothing":       {line: "", bad: true},
		"unknown type":  {line: "pipe 644", bad: true},
		"cut off":       {line: "file 644 root:root", bad: true},
		"bad mode":      {line: "file 689 root:root 0:0 3 =YWJj", bad: true},
		"bad base64":    {line: "file 644 root:root 0:0 3 =Y", bad: true},
		"absent, more":  {line: "absent really", bad: true},
		"dir content":   {line: "directory 755 root:root 0:0 4096 =YWJj", bad: true},
		"negative size": {line: "file 644 root:root 0:0 x =YWJj", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := hostfile.ParseState(c.line)
			if (err != nil) != c.bad {
				t.Fatalf("error %v, want one: %v", err, c.bad)
			}
			if !c.bad {
				if d := cmp.Diff(c.want, got); d != "" {
					t.Errorf("-want +got\n%s", d)
				}
			}
		})
	}
}

func TestOwnerLike(t *testing.T) {
	t.Parallel()
	s := hostfile.State{Owner: "etcd:UNKNOWN", OwnerID: "998:1234"}
	for want, got := range map[string]string{"etcd:1234": "etcd:1234", "998:1234": "998:1234", "root:root": "etcd:1234", "": "etcd:1234"} {
		if o := s.OwnerLike(want); o != got {
			t.Errorf("where %q is wanted the owner is %q, want %q", want, o, got)
		}
	}
}

func FuzzParseStates(f *testing.F) {
	f.Add("file 644 root:adm 0:4 3 =YWJj\nabsent", 2)
	f.Add("directory 755 root:root 0:0 4096", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		states, err := hostfile.ParseStates(text, n)
		if err != nil {
			return
		}
		if len(states) != n {
			t.Fatalf("%d states, want %d", len(states), n)
		}
		for _, s := range states {
			if s.Type == hostfile.TypeFile && len(s.Mode) != 4 {
				t.Errorf("a file with the mode %q", s.Mode)
			}
			_ = s.OwnerLike("a:b")
		}
	})
}
