package engine_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// world is a few hosts whose commands are run by this machine's sh in a directory per host, and a provider of files in
// them. It counts what the engine does to them.
type world struct {
	dir       string
	resources []providers.Resource

	mu          sync.Mutex
	unreachable map[string]bool
	connects    map[string]int
	commands    map[string]int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{dir: t.TempDir(), unreachable: map[string]bool{}, connects: map[string]int{}, commands: map[string]int{}}
}

var fileObject = cty.Object(map[string]cty.Type{"content": cty.String, "id": cty.String})

// file declares a file on a host with the content, after others.
func (w *world) file(name, host, content string, after ...string) schema.Addr {
	r := providers.Resource{Addr: addr(name), Host: host, Desired: fileValue(cty.StringVal(content))}
	for _, a := range after {
		r.After = append(r.After, providers.Edge{To: addr(a)})
	}
	w.resources = append(w.resources, r)
	return r.Addr
}

func addr(name string) schema.Addr {
	return schema.Addr{Block: schema.BlockAddr{Type: "worker", Name: name}, Type: "test.file"}
}

func fileValue(content cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"content": content, "id": cty.NullVal(cty.String)})
}

func (w *world) blueprint() *blueprint.Blueprint {
	node := func(role blueprint.Role, name string) blueprint.Node {
		return blueprint.Node{Addr: schema.BlockAddr{Type: string(role), Name: name}, Role: role, Name: name, Address: netip.MustParseAddr("192.0.2.1")}
	}
	return &blueprint.Blueprint{
		Dir: "site", Cluster: blueprint.Cluster{Name: "test"}, ControlPlane: node(blueprint.ControlPlane, "cp1"),
		Workers: []blueprint.Node{node(blueprint.Worker, "w1"), node(blueprint.Worker, "w2")},
	}
}

func (w *world) model(t *testing.T) *engine.Model {
	t.Helper()
	reg, err := providers.NewRegistry(w)
	if err != nil {
		t.Fatal(err)
	}
	m, diags := engine.Compile(w.blueprint(), reg)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return m
}

// plan probes and plans anew, with a session of its own.
func (w *world) plan(t *testing.T, sink engine.Sink) (*engine.Planned, *engine.Session) {
	t.Helper()
	m := w.model(t)
	s := engine.NewSession(w, m.Hosts, sink)
	t.Cleanup(s.Close)
	snap, err := engine.Probe(t.Context(), m, s)
	if err != nil {
		t.Fatal(err)
	}
	p, diags := engine.Plan(m, snap)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p, s
}

// The world is a provider with one kind, and itself that kind.

func (w *world) Kinds() []providers.Kind { return []providers.Kind{w} }

func (w *world) Compile(*blueprint.Blueprint) ([]providers.Resource, hcl.Diagnostics) {
	return w.resources, nil
}

func (w *world) Type() providers.Type {
	return providers.Type{Name: "test.file", Object: fileObject, Doc: "A file.", Cost: 1}
}

func (w *world) Question(r providers.Resource) string {
	return fmt.Sprintf("[ -e %[1]s ] && base64 < %[1]s", shell.Quote(r.Addr.Block.Name))
}

func (w *world) Notes(r providers.Resource, reply providers.Reply) []string {
	if r.Desired.RawEquals(fileValue(cty.StringVal("noted"))) {
		return []string{fmt.Sprintf("It ended with %d.", reply.Exit)}
	}
	return nil
}

func (w *world) Answer(_ providers.Resource, reply providers.Reply) (cty.Value, error) {
	if reply.Exit != 0 {
		return cty.NullVal(fileObject), nil
	}
	b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(reply.Stdout, "\n", ""))
	if err != nil {
		return cty.NilVal, err
	}
	if string(b) == "damaged" {
		return cty.NilVal, errors.New("half a line")
	}
	content := cty.StringVal(string(b))
	if strings.HasPrefix(string(b), "secret:") {
		content = content.Mark(schema.Sensitive)
	}
	return fileValue(content), nil
}

func (w *world) Commands(c plans.Change) (*shell.Script, error) {
	var s shell.Script
	if c.After.IsNull() {
		return s.Add("rm -f %s", c.Addr.Block.Name), nil
	}
	content := schema.Plain(c.After.GetAttr("content")).AsString()
	if content == "fail" {
		return s.Add("echo no space left >&2; false"), nil
	}
	if content == "panic" {
		panic("no such content")
	}
	if content == "lie" {
		return s.Add("true"), nil
	}
	return s.Add("printf %s %s > %s", "%s", content, c.Addr.Block.Name), nil
}

func (w *world) Make(after cty.Value) (cty.Value, error) {
	attrs := after.AsValueMap()
	if !attrs["content"].IsKnown() {
		attrs["content"] = schema.Secret("secret: made")
	}
	return cty.ObjectVal(attrs), nil
}

// The world is also the connector.

var errUnreachable = errors.New("no route to host")

func (w *world) Connect(_ context.Context, h providers.HostSpec) (providers.Host, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connects[h.Name]++
	if w.unreachable[h.Name] {
		return nil, fmt.Errorf("host %s: %w", h.Name, errUnreachable)
	}
	return &shHost{world: w, name: h.Name, dir: filepath.Join(w.dir, h.Name)}, nil
}

type shHost struct {
	world     *world
	name, dir string
}

func (h *shHost) Run(ctx context.Context, s *shell.Script) (providers.Reply, error) {
	h.world.mu.Lock()
	h.world.commands[h.name]++
	h.world.mu.Unlock()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-s")
	cmd.Stdin = strings.NewReader("mkdir -p " + shell.Quote(h.dir) + " && cd " + shell.Quote(h.dir) + "\n" + s.Text())
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return providers.Reply{}, err
	}
	return providers.Reply{Stdout: out.String(), Stderr: errOut.String(), Exit: cmd.ProcessState.ExitCode()}, nil
}

func (h *shHost) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("this world has no network")
}

func (h *shHost) Close() error { return nil }

func (w *world) Explain(c plans.Change) (plans.Reason, error) {
	if !c.After.IsNull() && c.After.GetAttr("content").IsKnown() && schema.Plain(c.After.GetAttr("content")).RawEquals(cty.StringVal("refuse")) {
		return c.Reason, errors.New("it may not be touched")
	}
	return c.Reason, nil
}

// Await lets contents that begin with "slow" take three looks, and "broken" fail at the second.
func (w *world) Await(c plans.Change) providers.Await {
	content := schema.Plain(c.After.GetAttr("content")).AsString()
	looks := 0
	return providers.Await{
		Question: "echo look", Every: time.Millisecond, Limit: time.Minute, OnLimit: "echo the last lines of the log",
		Done: func(reply providers.Reply) (bool, string, error) {
			looks++
			switch {
			case reply.Stdout != "look\n":
				return false, "", fmt.Errorf("asked for a look and got %q", reply.Stdout)
			case strings.HasPrefix(content, "broken") && looks == 2:
				return false, "", errors.New("it broke")
			case strings.HasPrefix(content, "slow"), strings.HasPrefix(content, "broken"):
				return looks == 3, fmt.Sprintf("look %d", looks), nil
			}
			return true, "", nil
		},
	}
}
