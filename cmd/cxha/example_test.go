package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestIntegrationExamples plans every example on bare machines and compares the plan file with the example's want.plan.
func TestIntegrationExamples(t *testing.T) {
	t.Parallel()
	binary := sandboxBinary(t)
	examples, err := filepath.Glob("../../examples/*/main.cxha.hcl")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, main := range examples {
		example := filepath.Dir(main)
		t.Run(filepath.Base(example), func(t *testing.T) {
			t.Parallel()
			dir := newSandbox(t, binary, "--example", example)
			if out, err := cxha("lock", filepath.Join(dir, "blueprint")).CombinedOutput(); err != nil {
				t.Fatalf("lock: %v\n%s", err, out)
			}
			file := filepath.Join(dir, "site.plan")
			if out, err := cxha("plan", filepath.Join(dir, "blueprint"), "--out", file).CombinedOutput(); err != nil {
				t.Fatalf("plan: %v\n%s", err, out)
			}
			comparePlan(t, file, filepath.Join(example, "want.plan"))
		})
	}
}

// salted are digests of secrets: each cluster has a salt of its own.
var salted = regexp.MustCompile(`\(sensitive [0-9a-f]+\)`)

func comparePlan(t *testing.T, file, golden string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got = salted.ReplaceAll(got, []byte("(sensitive DIGEST)"))
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the plan is another than %s; -update rewrites it\n%s", golden, diff)
	}
}

// newSandbox brings up a sandbox that ends with the test, and returns its directory.
func newSandbox(t *testing.T, binary string, args ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cxha") // short, for the sake of its Unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stopSandbox(binary, dir); err != nil {
			t.Error(err)
		}
	})
	if out, err := exec.Command(binary, append([]string{"up", "--dir", dir}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("sandbox up: %v\n%s", err, out)
	}
	return dir
}
