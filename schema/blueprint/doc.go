// Package blueprint reads a directory of *.cxha.hcl files into the description of one cluster.
package blueprint
