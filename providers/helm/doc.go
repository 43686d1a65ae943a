// Package helm is the provider of Helm releases: real ones, in Helm's own storage, of charts whose bytes the lock file names.
//
// Helm's own actions install, upgrade and uninstall. What they leave open is decided here: objects are applied on the server by
// the field manager cxha and by force, so that edits by hand are mended; the definitions in a chart's crds directory are
// applied at every change, not only at the first, and stay when the release goes, as the data of their kinds does; a namespace
// is made and never removed; a release that a killed run left pending is taken up where it stands.
package helm
