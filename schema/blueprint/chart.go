package blueprint

import (
	"cmp"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// chart returns the chart of a section, which is def where the section names no other.
func (l *loader) chart(s *section, def schema.DefaultChartOf) Chart {
	c := Chart{Name: cmp.Or(s.str("chart"), def.Name), Repository: s.str("repository"), Version: s.str("version")}
	if c.Name == "" || s.failed("chart") {
		return c
	}
	switch schema.SourceOf(c.Name) {
	case schema.ChartInFiles:
		c = l.localChart(s, c)
	case schema.ChartInRegistry:
		if c.Repository != "" {
			l.report(s.mistake("repository", "Repository of a registry's chart", "The chart %s is named by its whole address in a registry, so it has no repository. Take one of the two out.", c.Name))
		}
		l.completeVersion(s, &c, def)
	case schema.ChartInRepository:
		if c.Repository == "" && c.Name == def.Name {
			c.Repository = def.Repository
		}
		if c.Repository == "" && !s.failed("repository") {
			l.report(s.mistake("chart", "Chart without a repository", "%q is a chart's name in a repository, and %s names none. Write the repository's address as repository; or as chart the chart's address in a registry, oci://REGISTRY/PATH/%s, or the path of a directory, ./%s.", c.Name, s.scope.where, c.Name, c.Name))
		}
		l.completeVersion(s, &c, def)
	}
	l.checkRepository(s, c)
	l.checkRetired(s, c)
	return c
}

// completeVersion fills the version that a chart of the default's name has.
func (l *loader) completeVersion(s *section, c *Chart, def schema.DefaultChartOf) {
	if c.Version == "" && path.Base(c.Name) == path.Base(def.Name) {
		c.Version = def.Version
	}
	if c.Version == "" && !s.failed("version") {
		l.report(s.mistake("chart", "Chart without a version", "%s does not say which version of the chart %s it wants. Write one exact version, such as version = \"1.2.3\": the newest one means other bytes next month than those that were reviewed.", s.scope.where, c.Name))
	}
}

// localChart makes the path of a chart in a directory or archive absolute, and looks whether there is one.
func (l *loader) localChart(s *section, c Chart) Chart {
	given := c.Name
	for _, name := range []string{"repository", "version"} {
		if s.str(name) != "" {
			l.report(s.mistake(name, "Not for a local chart", "The chart %s is a directory or an archive, which has no repository, and its version in its Chart.yaml. Take %s out.", given, name))
		}
	}
	c = Chart{Name: l.path(s, "chart")}
	info, err := os.Stat(c.Name)
	switch {
	case err != nil:
		l.report(s.mistake("chart", "Chart not found", "There is no chart at %s: %s. Paths are relative to the blueprint's directory.", given, reason(err)))
	case info.IsDir():
		if _, err := os.Stat(filepath.Join(c.Name, "Chart.yaml")); err != nil {
			l.report(s.mistake("chart", "Not a chart", "The directory %s has no Chart.yaml, so it is no chart. A chart's directory is the one that holds its Chart.yaml and templates.", given))
		}
	case !strings.HasSuffix(c.Name, ".tgz") && !strings.HasSuffix(c.Name, ".tar.gz"):
		l.report(s.mistake("chart", "Not a chart", "%s is neither a directory nor an archive that ends with .tgz, as `helm package` makes them.", given))
	}
	return c
}

// checkRepository warns of repositories whose index can be changed on its way.
func (l *loader) checkRepository(s *section, c Chart) {
	u, err := url.Parse(c.Repository)
	if err != nil || u.Scheme != "http" || loopback(u.Hostname()) {
		return
	}
	l.report(warning(s.fields["repository"].at, "Repository without encryption", "The repository %s is read over plain http, so whoever sits between can put another chart in its place. The lock file notices changes after `cxha lock` ran, and not what it got then. Use https.", c.Repository))
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// checkRetired warns of charts that nobody mends any more: domain.md §3.1.
func (l *loader) checkRetired(s *section, c Chart) {
	whole := strings.ToLower(c.Repository + " " + c.Name)
	switch {
	case strings.Contains(whole, "bitnamicharts") || strings.Contains(whole, "charts.bitnami.com"):
		l.report(warning(s.fields["chart"].at, "Chart without images", "Bitnami's free images were moved away on 2025-08-28, so pods of the chart %s cannot pull theirs; the copies in docker.io/bitnamilegacy get no fixes. Use the chart of the program's own makers, or set the image's repository and tag in values to images that are looked after. For an ingress controller, use an ingress block.", c.Name))
	case path.Base(c.Name) == "ingress-nginx":
		l.report(warning(s.fields["chart"].at, "Retired chart", "The community's ingress-nginx is retired: since March 2026 nobody mends its security holes, and 4.15.1 is its last chart. Use ingress \"traefik\", which serves class nginx and most of its annotations as well; or ingress \"nginx\" with preset = \"f5\", whose annotations are others."))
	}
}

// chartValues returns the values for a chart: an object, or null.
func (l *loader) chartValues(s *section) cty.Value {
	none := cty.NullVal(cty.DynamicPseudoType)
	if !s.usable("values") {
		return none
	}
	v, _ := s.get("values").Unmark()
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		l.report(s.mistake("values", "Wrong type", "values takes an object, as in a chart's values.yaml, and this is a %s. For a YAML file, use yamldecode(file(\"values.yaml\")).", v.Type().FriendlyName()))
		return none
	}
	return s.get("values")
}
