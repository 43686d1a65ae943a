// Package virtualhost is RKE2's stand-in on the sandbox's machines: kwok plays the nodes and players do what some pods would do.
package virtualhost
