// Package chartstest renders the sandbox's charts for tests, with the functions of Helm's template language that they use.
package chartstest
