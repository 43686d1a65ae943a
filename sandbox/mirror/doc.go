// Package mirror is the sandbox's release mirror: an HTTP handler that serves an install script, and releases made on the spot
// in RKE2's layout, with their sums.
package mirror
