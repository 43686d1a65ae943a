// Package graph is a typed, immutable graph of things that need each other: its order, its text forms and the parallel walk over it.
package graph
