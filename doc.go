// Package cxha holds the tests of the house: which package may import which, that each says what it is, and what go.mod may
// hold. The program is cmd/cxha; the tree is described in docs/architecture.md. Nothing here is a promise to importers before v1.
package cxha
