// Package providers is the contract between the engine and what it manages: resources, kinds of resources, and the sessions
// through which hosts and the Kubernetes API are reached.
package providers
