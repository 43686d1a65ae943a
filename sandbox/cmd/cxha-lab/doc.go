// Command cxha-lab is a cluster's real machines on one computer: it starts and stops a lab of Debian hosts and does to it what
// happens to real sites (power cuts, cut lines and links, reboots).
package main
