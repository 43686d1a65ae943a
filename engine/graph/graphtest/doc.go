// Package graphtest makes the graphs that benchmarks measure with.
package graphtest
