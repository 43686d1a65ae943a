package blueprint_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/expertflow/cxha/schema/blueprint"
)

// FuzzLoad feeds a file of any content to the loader: it never panics, and what it says has a place in the sources.
func FuzzLoad(f *testing.F) {
	cases, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range cases {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, blueprint.FileEnding) {
				f.Add(file.Data)
			}
		}
	}
	for _, path := range []string{"testdata/base.hcl", filepath.Join(example, "main.cxha.hcl"), filepath.Join(example, "variables.cxha.hcl"), filepath.Join(workloads, "main.cxha.hcl")} {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if tooDeep(text) {
			t.Skip()
		}
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "main.cxha.hcl"), text)
		bp, diags := blueprint.Load(dir, blueprint.LoadOptions{Env: home})
		checkPlaces(t, bp, diags)
	})
}

// FuzzValues feeds any text as the value of a variable, in the three forms that values come in.
func FuzzValues(f *testing.F) {
	for _, text := range []string{"1", "{}", `{ a = 1, b = "x" }`, `["a"]`, "a = 1", "${x}", "null", `"`, "x = {\n", "v = [for x in [1] : x]", "v = { a = null }"} {
		f.Add(text)
	}
	source, err := os.ReadFile("testdata/base.hcl")
	if err != nil {
		f.Fatal(err)
	}
	source = append(source, "variable \"v\" {\n  type = object({ a = optional(list(number), [1]), b = optional(map(string)) })\n}\n"+
		"variable \"s\" {\n  type = any\n  sensitive = true\n}\nlocals {\n  x = [var.v.a, var.s]\n}\n"...)
	f.Fuzz(func(t *testing.T, text string) {
		if tooDeep([]byte(text)) {
			t.Skip()
		}
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "main.cxha.hcl"), source)
		writeFile(t, filepath.Join(dir, "a.auto.cxhavars"), []byte(text))
		for _, opts := range []blueprint.LoadOptions{{}, {Vars: []string{"v=" + text, "s=" + text}}, {Vars: []string{text}, Env: []string{"CXHA_VAR_v=" + text}}} {
			bp, diags := blueprint.Load(dir, opts)
			checkPlaces(t, bp, diags)
		}
	})
}

// tooDeep keeps the fuzzer from texts that only show that HCL's parser is recursive.
func tooDeep(text []byte) bool {
	return len(text) > 1<<16 || bytes.Count(text, []byte("(")) > 1000 || bytes.Count(text, []byte("[")) > 1000 || bytes.Count(text, []byte("{")) > 1000
}

// checkPlaces makes sure that every diagnostic can be shown with its line.
func checkPlaces(t *testing.T, bp *blueprint.Blueprint, diags hcl.Diagnostics) {
	t.Helper()
	if bp == nil {
		t.Fatal("no blueprint")
	}
	for _, d := range diags {
		if d.Summary == "" || d.Detail == "" || d.Subject == nil {
			t.Fatalf("diagnostic without a text or a place: %+v", d)
		}
		file, ok := bp.Sources[d.Subject.Filename]
		if !ok {
			t.Fatalf("%s: the source is not known", d)
		}
		if d.Subject.Start.Byte > len(file.Bytes) {
			t.Fatalf("%s: behind the end of the source", d)
		}
	}
	if err := hcl.NewDiagnosticTextWriter(&bytes.Buffer{}, bp.Sources, 80, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
}

// A key stands twice exactly if decoding loses one: then the text has more keys than what is decoded.
func FuzzJSONKeys(f *testing.F) {
	for _, seed := range []string{`{"a":1,"a":2}`, `[{"a":{"b":[],"c":1}},{"a":1}]`, `{"a":{"a":1}}`, `"a"`, `{"a"`, `[1,[2,{}]]`, `{"A":1,"a":2}`, `{"a":"a","b":"a"}`, `{"\u0061":1,"a":1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var decoded any
		if err := json.Unmarshal([]byte(text), &decoded); err != nil {
			return
		}
		encoded, err := json.Marshal(decoded)
		if err != nil {
			t.Fatal(err)
		}
		lost := keyCount(t, []byte(text)) != keyCount(t, encoded)
		if key, twice := blueprint.JSONKeyTwice([]byte(text)); twice != lost {
			t.Errorf("a key stands twice (%q): %v; a key is lost: %v", key, twice, lost)
		}
	})
}

// keyCount counts the keys of all objects: what follows an opening brace or, inside of an object, a comma.
func keyCount(t *testing.T, text []byte) int {
	t.Helper()
	n := 0
	var walk func(json.RawMessage)
	walk = func(raw json.RawMessage) {
		dec := json.NewDecoder(bytes.NewReader(raw))
		token, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		for dec.More() {
			if token == json.Delim('{') {
				if _, err := dec.Token(); err != nil {
					t.Fatal(err)
				}
				n++
			}
			var value json.RawMessage
			if err := dec.Decode(&value); err != nil {
				t.Fatal(err)
			}
			if value[0] == '{' || value[0] == '[' {
				walk(value)
			}
		}
	}
	if text = bytes.TrimSpace(text); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		walk(text)
	}
	return n
}

// Whatever a broken file holds, a better word for its errors has a place in it.
func FuzzUnquoted(f *testing.F) {
	for _, seed := range []string{"a = 10.0.0.1\n", "a = v1.35.6+rke2r1", "a = \"${x:-y}\"\n", "a = ${b}\n", "a = fd00::1/64 # \"x\n", "a = 5m\r\nb = /é/x\n", "x {\n a = https://b\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.cxha.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, diags := blueprint.Load(dir, blueprint.LoadOptions{})
		for _, d := range diags {
			if d.Subject != nil && (d.Subject.End.Byte > len(text) || d.Subject.Start.Byte > d.Subject.End.Byte) {
				t.Errorf("%s is at %v of %d bytes", d.Summary, d.Subject, len(text))
			}
		}
	})
}
