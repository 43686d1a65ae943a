// Package settings is what an RKE2 daemon is told: its options from configuration files, environment and arguments, and
// the join tokens.
package settings
