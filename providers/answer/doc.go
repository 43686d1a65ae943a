// Package answer reads what hosts print: the outcome of a question and its lines of KEY=VALUE.
package answer
