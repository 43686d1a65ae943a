// Command cxha-sandbox is a cluster's machines on one computer: it starts and stops a sandbox and does to it what happens
// to real sites (power cuts, cut lines, drift).
package main
