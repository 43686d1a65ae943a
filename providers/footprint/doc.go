// Package footprint is what cxha leaves on a host outside of RKE2: where it is, and the lines that take it away.
package footprint
