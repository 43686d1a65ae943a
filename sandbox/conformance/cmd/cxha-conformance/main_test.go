package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.hcl")
	if err := os.WriteFile(bad, []byte("version = \"stable\"\nssh { user = \"root\" }\ninstall {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says []string // in stderr
	}{
		"nothing":          {nil, exitUsage, []string{"usage: cxha-conformance", "An inventory, such as", "disposable = true"}},
		"empty":            {[]string{""}, exitUsage, []string{"usage: cxha-conformance"}},
		"help":             {[]string{"--help"}, exitSame, []string{"usage: cxha-conformance"}},
		"unknown flag":     {[]string{"--force", "x"}, exitUsage, []string{"flag provided but not defined"}},
		"no such file":     {[]string{filepath.Join(t.TempDir(), "none.hcl")}, exitUsage, []string{"Inventory not readable"}},
		"several mistakes": {[]string{bad}, exitUsage, []string{"Machines not disposable", "bad.hcl line 1", `version = "stable"`, "Invalid version", "One server is needed", "An agent is needed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr strings.Builder
			if code := run(context.Background(), c.args, &stdout, &stderr); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout: %s", stdout.String())
			}
			for _, text := range c.says {
				if !strings.Contains(stderr.String(), text) {
					t.Errorf("stderr lacks %q:\n%s", text, stderr.String())
				}
			}
		})
	}
}
