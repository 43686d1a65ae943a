// Package engine turns a blueprint into a graph of resources, probes what is live, plans what differs and applies it.
package engine
