package providers

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Resource is the smallest thing that is probed, compared and changed.
type Resource struct {
	Addr schema.Addr // Addr.Type names the kind
	Host string      // name of the host it is on; empty: it is not on one host

	// Desired has the kind's type. Unknown attributes are computed: what is live is right, and where nothing is, the kind
	// makes a value. Null attributes are not managed. A null object means that the resource shall not be.
	Desired cty.Value

	// Inputs fills attributes of Desired (unknown there) from other resources' values.
	Inputs map[string]Input

	After []Edge // resources that must be right before this one is changed

	// Before are resources that must wait until this one is right. It is for what a probe found: the blueprint's resources, which were
	// declared before, cannot name it.
	Before []Edge

	Range hcl.Range

	// Successor is set on what a probe found with cxha's mark and without a place in the blueprint, where another resource has
	// taken its place, as the next version of a generated ConfigMap does. Its removal needs no approval.
	Successor schema.Addr
}

// Input says which attribute of which resource an attribute's value comes from. It implies an edge.
type Input struct {
	From schema.Addr
	Attr string
}

// Edge is a dependency and the place that asks for it.
type Edge struct {
	To    schema.Addr
	Range hcl.Range
}

// HostSpec says how to reach a host.
type HostSpec struct {
	Name    string
	Address string // IP address or name
	SSH     blueprint.SSH
}

// Type describes the values of a kind.
type Type struct {
	Name   string   // rke2.config
	Object cty.Type // object type of desired and live values
	Doc    string   // one sentence

	// Replace lists attributes that cannot be changed in place.
	Replace []string

	// RemoveLast tells that what is removed of the kind goes after the changes of its block, and after those of what used it.
	RemoveLast bool

	// Cost is how long creating one typically takes, in seconds: the executor's first guess of what lies on the longest path.
	Cost float64
}

// Live is what a probe found.
type Live struct {
	Value   cty.Value // null object of the kind's type: absent
	Unknown string    // not empty: the value could not be seen, and why

	// Deferred is set with Unknown where a change of the plan itself will make the value visible, such as the start of the API
	// server; with Refuse where what the resource comes after may take the objection away.
	Deferred bool

	// Result, where it is not cty.NilVal, is what will be live after an apply of the desired value, by the word of the system
	// that would do it, such as the API server's dry run. The change is then all that differs between Value and Result; the
	// desired value itself is not compared. Parts that only the real apply decides are unknown.
	Result cty.Value

	// Cause, where it is not empty, tells in a few words who made the value another one than desired, such as "changed by kubectl-edit
	// at 2026-11-27 17:42 UTC". It is added to the reason of an update.
	Cause string

	// Refuse, where it is not nil, is why the resource cannot be changed to what is desired. It counts only if a change is needed.
	Refuse error

	// After are the blocks that the resource came after when it was made, as it remembers itself; Uses are the keys of resources
	// that it cannot work without as it is now, such as ConfigMap/cx/settings of a kube.object. What of them is removed goes
	// after the resource's own change.
	After []schema.BlockAddr
	Uses  []string

	// Notes are sentences that whoever reads the plan should know and that are no change, such as that another tool owns a field.
	Notes []string
}
