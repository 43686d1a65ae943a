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
	Range hcl.Range
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

	// Cost is how long creating one typically takes, in seconds: the executor's first guess of what lies on the longest path.
	Cost float64
}

// Live is what a probe found.
type Live struct {
	Value   cty.Value // null object of the kind's type: absent
	Unknown string    // not empty: the value could not be seen, and why

	// Notes are what somebody should know of the host and no change of cxha can mend, each in full sentences. They become warnings.
	Notes []string

	// Deferred is set with Unknown where a change of the plan itself will make the value visible, such as the start of the API server.
	Deferred bool
}
