// Package schema is the vocabulary of cxha: addresses, block shapes and values that every other package shares.
package schema
