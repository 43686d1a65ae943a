// Package players is what the pods of a sandbox's cluster would do if they ran: MetalLB's controller and speakers, and the
// provisioners of volumes. A player acts while a pod that it stands for is Ready on a host that can be reached.
package players
