// Package conformance is the suite of checks that hold machines with RKE2 to the points of sandbox/CONTRACT.md.
package conformance
