// Package imagestest compiles the programs of the lab's images for tests.
package imagestest
