package engine

import (
	"time"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

// Times tells how long a change is expected to take, from runs before this one; ok is false where nobody knows.
type Times func(c plans.Change) (took time.Duration, ok bool)

// knownShare is the share of a run, by the costs of its kinds, that must have been measured before for its length to be told: hosts,
// networks and charts differ by more than an order of magnitude, so a guess without a measure is worse than none.
const knownShare = 0.9

// leastCost is the cost of a change that takes no time at all, in seconds.
const leastCost = 0.02

// expectations are what earlier runs measured of the changes of this one.
type expectations struct {
	seconds map[schema.Addr]float64
	known   bool // most of the run was measured before
}

func expect(todo map[schema.Addr]plans.Change, times Times, cost func(schema.Addr) float64) expectations {
	e := expectations{seconds: map[schema.Addr]float64{}}
	var measured, all float64
	for a, c := range todo {
		if c.Action == plans.Unknown {
			continue
		}
		guess := cost(a)
		all += guess
		if times == nil {
			continue
		}
		if took, ok := times(c); ok {
			measured += guess
			e.seconds[a] = max(took.Seconds(), leastCost)
		}
	}
	e.known = all > 0 && measured >= knownShare*all
	return e
}
