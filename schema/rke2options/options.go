// Package rke2options knows the options of RKE2's config.yaml: which there are for a role and a version, and what values they take.
//
// The facts are those of RKE2's command line, of which each option is a flag (rancher/rke2, pkg/cli/cmds at the tags v1.28.1+rke2r1 to
// v1.36.3+rke2r1; the flags' types are those of k3s-io/k3s, pkg/cli/cmds).
package rke2options

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/expertflow/cxha/schema"
)

// Role is what RKE2 runs as.
type Role string

// The roles.
const (
	Server Role = "server"
	Agent  Role = "agent"
)

// Kind is what values an option takes.
type Kind string

// The kinds. Their names stand in messages.
const (
	Text     Kind = "text"
	Bool     Kind = "bool"
	Number   Kind = "whole number"
	Duration Kind = "duration"
	List     Kind = "list of texts"
)

// option is one flag.
type option struct {
	kind Kind
	both bool // agents have it as well

	// since are the first releases that have it, one for each minor version, as upstream brings an option to several at a time. Minor
	// versions after the last one have it, those before the first have not. nil: every version from 1.28 on has it.
	since []string
}

// Base takes the sign off with which a configuration adds to a list: kubelet-arg+.
func Base(name string) string { return strings.TrimSuffix(name, "+") }

// Problem says why an option is of no use.
type Problem struct {
	Summary string // of a diagnostic
	Text    string // goes on after: sets "name"
}

// Of returns the option's kind for a role and a version of RKE2, such as v1.35.7+rke2r1; an invalid version counts as the newest. The
// problem is nil unless the option is unknown, of servers only, or of later versions.
func Of(name string, role Role, version string) (Kind, *Problem) {
	o, known := all[Base(name)]
	switch {
	case !known:
		near := schema.Suggest(Base(name), Names(role, version))
		if near != "" {
			near = fmt.Sprintf(" Did you mean %q?", near)
		}
		return "", &Problem{"Unknown option of RKE2", fmt.Sprintf(", and RKE2 %s has no such option for %ss: it would leave it out, with a warning in its log only.%s "+
			"If your release has it all the same, put it into unchecked_config.", version, role, near)}
	case role == Agent && !o.both:
		return "", &Problem{"Option for servers only", ", which only servers have: agents would not know it. Put it into the config of the control_plane block."}
	case !o.in(version):
		return "", &Problem{"Option of another version", fmt.Sprintf(", which came with RKE2 %s, and the cluster's version is %s. Raise the version, or take the option out.", o.from(version), version)}
	default:
		return o.kind, nil
	}
}

// Names are the options of a role and version, sorted.
func Names(role Role, version string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool {
		o := all[name]
		return role == Agent && !o.both || !o.in(version)
	})
}

// in reports whether a version has the option.
func (o option) in(version string) bool {
	if len(o.since) == 0 || !semver.IsValid(version) {
		return true
	}
	for _, first := range o.since {
		if semver.MajorMinor(first) == semver.MajorMinor(version) {
			return !older(version, first)
		}
	}
	return semver.Compare(semver.MajorMinor(version), semver.MajorMinor(o.since[len(o.since)-1])) > 0
}

// from is the release that brought the option to the minor version, or else the first of all.
func (o option) from(version string) string {
	for _, first := range o.since {
		if semver.MajorMinor(first) == semver.MajorMinor(version) {
			return first
		}
	}
	return o.since[0]
}

// older compares versions with their releases: +rke2r2 comes after +rke2r1, which semantic versions do not order.
func older(a, b string) bool {
	if c := semver.Compare(a, b); c != 0 {
		return c < 0
	}
	return release(a) < release(b)
}

func release(version string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(semver.Build(version), "+rke2r"))
	if err != nil {
		return 0
	}
	return n
}

// Check returns what is wrong with the values that a configuration gives an option of this kind, as the end of a sentence about the option; "" if nothing is. list
// tells whether they were written as a list.
func (k Kind) Check(values []string, list bool) string {
	if k == List {
		return ""
	}
	if list && len(values) != 1 {
		return fmt.Sprintf("takes one %s, and this is a list of %d", k, len(values))
	}
	switch s := values[0]; k {
	case Bool:
		if _, err := strconv.ParseBool(s); err != nil {
			return fmt.Sprintf("takes true or false, and not %q", s)
		}
	case Number:
		if _, err := strconv.ParseInt(s, 0, 64); err != nil {
			return fmt.Sprintf("takes a whole number, and not %q", s)
		}
	case Duration:
		if _, err := time.ParseDuration(s); err != nil {
			return fmt.Sprintf("takes a duration such as 90s or 5m, and not %q", s)
		}
	case Text, List:
	}
	return ""
}

// Bool tells whether a truth value is of use for the kind.
func (k Kind) Bool() bool { return k == Bool }
