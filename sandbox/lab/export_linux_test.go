package lab

import "github.com/expertflow/cxha/sandbox/site"

// What the tests look at.
var (
	CgroupMount    = cgroupMount
	BuiltinModules = builtinModules
	UnitStates     = unitStates
	CountSessions  = countSessions
	WhoAnswers     = whoAnswers
)

// Filter is the router's rules for links in a lab of two workers that has not been opened.
func Filter(links ...[3]string) (string, error) {
	layout, err := site.Layout(2)
	if err != nil {
		return "", err
	}
	l := &Lab{layout: layout}
	for _, h := range layout {
		l.hosts = append(l.hosts, &host{Host: h, lab: l})
	}
	for _, k := range links {
		l.links = append(l.links, link{a: k[0], b: k[1], cut: k[2] == "", rate: k[2]})
	}
	return l.filter(), nil
}
