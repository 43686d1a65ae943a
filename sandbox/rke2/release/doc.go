// Package release is the mark by which the stand-in's binary knows which release of RKE2 it is: text after the end of the program.
package release
