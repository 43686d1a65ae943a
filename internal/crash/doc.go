// Package crash turns a panic into an error, so that one fault of the program does not take a whole run with it.
package crash
