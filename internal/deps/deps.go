package deps

import (
	_ "filippo.io/age"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/hashicorp/hcl/v2/hclparse"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/skeema/knownhosts"
	_ "github.com/spf13/cobra"
	_ "github.com/zclconf/go-cty/cty"
	_ "golang.org/x/crypto/ssh"
	_ "golang.org/x/term"
	_ "gonum.org/v1/gonum/graph/topo"
	_ "k8s.io/client-go/kubernetes"
	_ "k8s.io/kubectl/pkg/drain"
	_ "mvdan.cc/sh/v3/syntax"
	_ "sigs.k8s.io/yaml"
	_ "github.com/pmezard/go-difflib/difflib"
)
