// Command rke2 is the stand-in for RKE2 on real Linux hosts: server, agent, their components and kubectl in one program.
package main
