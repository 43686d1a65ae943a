// Command cxha-conformance runs the checks of sandbox/CONTRACT.md on disposable machines.
package main
