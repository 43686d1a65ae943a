//go:build linux

package linuxnode_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/rke2/linuxnode"
)

func TestParseRegistries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		last string
		want map[string]string // nil: an error
	}{
		"mirrors": {
			text: "mirrors:\n  docker.io:\n    endpoint: [\"https://a:5000\", \"http://b/v2\"]\n  \"*\": {endpoint: [\"http://c\"]}\n",
			want: map[string]string{
				"docker.io": "[host.\"https://a:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\n" +
					"[host.\"http://b/v2\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n",
				"_default": "[host.\"http://c\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
			},
		},
		"mirrors, and one after them": {
			text: "mirrors:\n  docker.io:\n    endpoint: [\"https://a:5000\"]\n  \"*\": {endpoint: [\"http://c\"]}\n  quay.io: {}\n",
			last: "http://last",
			want: map[string]string{
				"docker.io": "[host.\"https://a:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\n" +
					"[host.\"http://last\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
				"_default": "[host.\"http://c\"]\n  capabilities = [\"pull\", \"resolve\"]\n" +
					"[host.\"http://last\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
				"quay.io": "[host.\"http://last\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
			},
		},
		"one that all have": {
			text: "mirrors: {docker.io: {endpoint: [\"http://last\", \"http://a\", \"http://a\"]}}\n",
			last: "http://last",
			want: map[string]string{
				"docker.io": "[host.\"http://last\"]\n  capabilities = [\"pull\", \"resolve\"]\n" +
					"[host.\"http://a\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
				"_default": "[host.\"http://last\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
			},
		},
		"empty": {want: map[string]string{}},
		"empty, and one after it": {
			last: "http://last", want: map[string]string{"_default": "[host.\"http://last\"]\n  capabilities = [\"pull\", \"resolve\"]\n"},
		},
		"no mapping":       {text: "- a\n"},
		"no URL":           {text: "mirrors: {docker.io: {endpoint: [\"a:5000\"]}}\n"},
		"other directory":  {text: "mirrors: {\"../x\": {endpoint: [\"http://a\"]}}\n"},
		"other directory,": {text: "mirrors: {\"..\": {endpoint: [\"http://a\"]}}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := linuxnode.ParseRegistries([]byte(c.text), c.last)
			if (err == nil) != (c.want != nil) {
				t.Fatalf("error: %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("hosts (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseRegistries(f *testing.F) {
	f.Add([]byte("mirrors: {docker.io: {endpoint: [\"http://a\"]}}\n"))
	f.Add([]byte("mirrors: {\"..\": {}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		hosts, err := linuxnode.ParseRegistries(text, "http://last")
		if err != nil {
			return
		}
		if hosts["_default"] == "" {
			t.Errorf("%q: no mirror for registries that are not named", text)
		}
		for directory, text := range hosts {
			if strings.Count(text, "[host.\"http://last\"]") != 1 {
				t.Errorf("directory %s: the last mirror is not there once:\n%s", directory, text)
			}
			if strings.ContainsAny(directory, "/\x00") || strings.HasPrefix(directory, ".") || directory == "" {
				t.Errorf("%q: a file in the directory %q", text, directory)
			}
		}
	})
}
