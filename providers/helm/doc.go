// Package helm is the provider of Helm releases: real ones, in Helm's own storage, of charts whose bytes the lock file names.
//
// Helm's own actions install, upgrade and uninstall. What they leave open is decided here: a plan renders the charts of what changes and has
// the API server try the objects; objects are sent the way the release was made, under Helm's own field manager; the definitions in a
// chart's crds directory are applied at every change, not only at the first; data, definitions and namespaces stay when a release goes; a
// removal is done when it was seen that nothing is left; a release that a killed run left pending is taken up where it stands; no secret of
// the values is shown, in whatever form a chart has it.
package helm
