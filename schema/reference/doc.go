// Package reference writes the reference of the blueprint language, docs/language.md, from the shapes and the functions.
package reference
