package host

import (
	"fmt"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/footprint"
	"github.com/expertflow/cxha/providers/hostfile"
	"github.com/expertflow/cxha/schema"
)

const fileType = "host.file"

// file is the kind of the blueprint's own files.
var file = hostfile.Kind{
	Name:  fileType,
	Doc:   "A file of the blueprint: its content, owner and mode.",
	Path:  func(a schema.Addr) string { return a.Key },
	Codec: hostfile.Text{Attr: "content"},
	Owned: true,
}

// files adds the node's directories and files, each after the directories that hold it.
func (b *nodeBuilder) files() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, d := range b.node.Directories {
		owner, mode, at := normalOwner(d.Owner), d.Mode, d.Source.Block
		diags = append(diags, b.checkPath(d.Path, &mode, at)...)
		b.addKeyed(directoryType, d.Path, at, map[string]cty.Value{
			"type": cty.StringVal(hostfile.TypeDirectory), "owner": cty.StringVal(owner), "mode": cty.StringVal(mode),
		}).After = b.parents(d.Path, at)
	}
	for _, f := range b.node.Files {
		owner, mode, at := normalOwner(f.Owner), f.Mode, f.Source.Block
		diags = append(diags, b.checkPath(f.Path, &mode, at)...)
		r := b.addKeyed(fileType, f.Path, at, nil)
		r.Desired = file.Desired(owner, mode, map[string]cty.Value{"content": f.Content})
		r.After = b.parents(f.Path, at)
	}
	return diags
}

// parents returns edges to the declared directories above a path.
func (b *nodeBuilder) parents(p string, at hcl.Range) []providers.Edge {
	var edges []providers.Edge
	for _, d := range b.node.Directories {
		if d.Path != p && strings.HasPrefix(p, strings.TrimSuffix(d.Path, "/")+"/") {
			edges = append(edges, providers.Edge{To: b.addr(directoryType, d.Path), Range: at})
		}
	}
	return edges
}

// checkPath refuses paths that belong to cxha, and brings the mode into its normal form.
func (b *nodeBuilder) checkPath(p string, mode *string, at hcl.Range) hcl.Diagnostics {
	var diags hcl.Diagnostics
	normal, err := hostfile.NormalMode(*mode)
	if err != nil {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid mode",
			Detail:  fmt.Sprintf("The mode of %s on node %s is no octal number: %s. Write it as in \"0644\".", p, b.node.Name, err),
			Subject: at.Ptr(),
		})
	} else {
		*mode = normal
	}
	switch {
	case !path.IsAbs(p) || path.Clean(p) != p || p == "/":
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid path",
			Detail:  fmt.Sprintf("The path %q on node %s is not usable. Write an absolute path without empty, \".\" or \"..\" parts.", p, b.node.Name),
			Subject: at.Ptr(),
		})
	case reserved(p):
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Path belongs to cxha",
			Detail: fmt.Sprintf("cxha itself keeps %s on node %s, so a block of the blueprint cannot keep it too: the two would undo each other's work. "+
				"Use the attribute of the cluster or the node that says what shall be in it.", p, b.node.Name),
			Subject: at.Ptr(),
		})
	}
	return diags
}

// reserved reports whether cxha keeps what is at a path by other resources, or its marks below it.
func reserved(p string) bool {
	for _, f := range []string{
		footprint.HostsFile, footprint.SysctlFile, footprint.ModulesFile, footprint.NetworkManagerFile, providers.StateDir,
		"/etc/rancher/rke2/config.yaml", "/etc/rancher/rke2/config.yaml.d", "/etc/rancher/rke2/registries.yaml",
		"/etc/rancher/rke2/server-token", "/etc/rancher/rke2/agent-token",
	} {
		if p == f || strings.HasPrefix(p, f+"/") {
			return true
		}
	}
	return false
}

// normalOwner returns user:group; a user alone means the group of the same name.
func normalOwner(owner string) string {
	if !strings.Contains(owner, ":") {
		return owner + ":" + owner
	}
	return owner
}
