package providers

import (
	"context"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Provider knows one family of resources. Its methods are pure.
type Provider interface {
	// Kinds lists the provider's kinds. Each is a HostKind or a CallKind.
	Kinds() []Kind

	// Compile declares the resources of a blueprint. Diagnostics carry ranges of the blueprint.
	Compile(bp *blueprint.Blueprint) ([]Resource, hcl.Diagnostics)
}

// Kind is one type of resource. What it can do is told by the interfaces below.
type Kind interface {
	Type() Type
}

// HostKind is a kind that lives on a host and is seen and changed by sh scripts. All methods are pure.
type HostKind interface {
	Kind

	// Question returns sh text that prints what Answer needs. It runs in a subshell of its own as root, without input, and must change nothing.
	Question(r Resource) string

	// Answer reads the reply. The value is normalised and has the kind's type; a null object means absent.
	Answer(r Resource, reply Reply) (cty.Value, error)

	// Commands returns what makes c.After of c.Before (c.After null: what removes it). Running it twice does the same as once;
	// cut off anywhere, the next probe sees truthfully what is there. It runs as root under `set -eu`.
	Commands(c plans.Change) (*shell.Script, error)
}

// Awaiter is a HostKind whose change needs time after its commands ran, such as the start of a service.
type Awaiter interface {
	// Await returns what to ask, how often and for how long until the change is done. It is called for changes whose After is not null.
	Await(c plans.Change) Await
}

// Await is a condition on a host that is polled.
type Await struct {
	Question string // sh text, as in HostKind.Question
	Every    time.Duration
	Limit    time.Duration

	// Done reads a reply: done, or what is still missing, in a few words for the progress display. An error ends the wait and fails the change.
	Done func(Reply) (done bool, missing string, err error)

	// OnLimit returns sh text whose output is added to the error when the wait fails; may be empty.
	OnLimit string
}

// Maker is a kind with computed attributes that cxha has to make itself, such as tokens.
type Maker interface {
	// Make returns after with its unknown attributes filled.
	Make(after cty.Value) (cty.Value, error)
}

// Explainer is a kind that knows better than the comparison why a change is needed, or that refuses it.
type Explainer interface {
	// Explain may change the reason, and no other field of it. An error means that the change must not be made, and why.
	Explain(c plans.Change) (plans.Reason, error)
}

// Noter is a HostKind that sees more than its value: what somebody else's files do to it now, or at the next boot of the host.
type Noter interface {
	// Notes reads the reply that Answer reads, and returns what becomes Live.Notes.
	Notes(r Resource, reply Reply) []string
}

// CallKind is a kind that is changed by calls of its own: the Kubernetes API, or a local file. Its provider is a Prober.
type CallKind interface {
	Kind

	// Apply makes c.After of c.Before and returns the value that is live then. It is idempotent, and returns when the change is done.
	Apply(ctx context.Context, s Session, c plans.Change) (cty.Value, error)
}

// Prober is a provider whose CallKinds are probed by calls of its own.
type Prober interface {
	// Facts returns questions to hosts of the blueprint whose replies Probe needs; they travel with the host's one command.
	Facts(bp *blueprint.Blueprint) []Fact

	// Probe returns the live values of rs, and what carries cxha's mark without being among rs. It changes nothing.
	// An error means a fault of cxha; what cannot be seen is Live.Unknown.
	Probe(ctx context.Context, s Session, bp *blueprint.Blueprint, rs []Resource) (Observation, error)
}

// Guard is a provider that refuses a plan for what several resources show together, such as workers that belong to another control
// plane than the blueprint's. It is pure.
type Guard interface {
	// Guard returns an error diagnostic for each cause, with what to do. live returns what the probe saw of a resource of the
	// blueprint, or of one that was found; ok is false where it saw nothing, because the resource is unknown or there is none.
	Guard(bp *blueprint.Blueprint, live func(schema.Addr) (value cty.Value, ok bool)) hcl.Diagnostics
}

// Fact is a question of a provider to a host.
type Fact struct {
	Host     string
	Name     string // unique per provider and host
	Question string
}

// Observation is what a Prober saw.
type Observation struct {
	Live map[schema.Addr]Live

	// Found are resources with cxha's mark that are not in the blueprint, with null Desired. Those of a CallKind have their live
	// value in Live; those of a HostKind are asked for on their host.
	Found []Resource

	// Notes are sentences about what is in neither, such as a volume claim that stays though its block is gone.
	Notes []string

	// Hosts are the hosts of Found that the blueprint does not know.
	Hosts []HostSpec
}

// Reply is a host's answer.
type Reply struct {
	Stdout string
	Stderr string
	Exit   int
}
