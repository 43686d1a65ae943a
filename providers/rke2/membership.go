package rke2

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/providers/hostfile"
)

// membership is the kind of what a host says of the cluster that it belongs to: the authorities whose keys make a cluster the one
// that it is, and the name under which the host is a node. It is seen and never changed: Guard reads it.
type membership struct{}

var _ providers.HostKind = membership{}

var membershipObject = cty.Object(map[string]cty.Type{
	"serves": cty.List(cty.String), // key identifiers of the authorities of the cluster whose control plane the host is
	"member": cty.List(cty.String), // and of the cluster that its kubelet belongs to
	"node":   cty.String,           // name of the node that its kubelet is
})

// nodePrefix begins the common name of a kubelet's certificate.
const nodePrefix = "system:node:"

func (membership) Type() providers.Type {
	return providers.Type{
		Name: membershipType, Object: membershipObject, Cost: 0,
		Doc: "The cluster that the host belongs to, by its certificate authority, and the node that it is there. It is seen and never changed.",
	}
}

// Question prints the states of three public certificates.
func (membership) Question(providers.Resource) string {
	return hostfile.Question(hostfile.MaxContent, serverCA, agentCA, kubeletCertificate)
}

func (membership) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(membershipObject)
	text, _, err := answer.Text(r, reply)
	if err != nil {
		return null, err
	}
	files, err := hostfile.ParseStates(text, 3)
	if err != nil {
		return null, err
	}
	node := cty.NullVal(cty.String)
	for _, c := range certificates(files[2].Content) {
		if name, ok := strings.CutPrefix(c.Subject.CommonName, nodePrefix); ok {
			node = cty.StringVal(name)
			break
		}
	}
	return cty.ObjectVal(map[string]cty.Value{"serves": textList(keys(files[0].Content)), "member": textList(keys(files[1].Content)), "node": node}), nil
}

// Commands is never called: nothing of the kind is desired, so nothing differs.
func (membership) Commands(c plans.Change) (*shell.Script, error) {
	return nil, fmt.Errorf("%s: what cluster a host belongs to cannot be set; this is a bug in cxha", c.Addr)
}

// seenMembership is a desired value that asks for nothing.
func seenMembership() cty.Value {
	null := map[string]cty.Value{}
	for name, ty := range membershipObject.AttributeTypes() {
		null[name] = cty.NullVal(ty)
	}
	return cty.ObjectVal(null)
}

// certificates reads the certificates of a PEM file. What cannot be read is none: a host that lost its power may have half a file.
func certificates(content []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			found = append(found, c)
		}
	}
	return found
}

// keys are the identifiers of the keys of a file's certificates, sorted. A key outlives the renewal of its certificate, and a
// rotation of the authority leaves the old one in the bundle.
func keys(content []byte) []string {
	var ids []string
	for _, c := range certificates(content) {
		sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
		ids = append(ids, hex.EncodeToString(sum[:16]))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
