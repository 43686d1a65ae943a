package helm

import (
	"encoding/json"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	release "helm.sh/helm/v4/pkg/release/v1"
)

// chart returns the chart with the marks that its release's record shall have, and settles how its objects are sent.
func (u *upgrade) chart(helm *action.Configuration) (*chart.Chart, error) {
	ch, err := u.load()
	if err != nil {
		return nil, err
	}
	states, err := u.settled(helm)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(states)
	if err != nil {
		return nil, err
	}
	if ch.Metadata.Annotations == nil {
		ch.Metadata.Annotations = map[string]string{}
	}
	ch.Metadata.Annotations[blockAnnotation] = u.known.release.Addr.String()
	ch.Metadata.Annotations[sensitiveAnnotation] = strings.Join(pointers(desiredValues(u.known.release.Values)), "\n")
	ch.Metadata.Annotations[usesAnnotation] = strings.Join(u.known.uses, "\n")
	ch.Metadata.Annotations[afterAnnotation] = strings.Join(u.known.after, "\n")
	ch.Metadata.Annotations[objectsAnnotation] = string(text)
	return ch, nil
}

func (u *upgrade) load() (*chart.Chart, error) {
	ch, err := u.options.Charts.Load(u.ctx, u.known.release.Chart, u.known.digest)
	if err == nil {
		localSchemas(ch)
	}
	return ch, err
}

// settled returns the states that the objects will have, and sets the way to apply: as planned, or where the plan could not know it, as it is
// found out now.
func (u *upgrade) settled(helm *action.Configuration) (map[string]string, error) {
	deployed, err := deployedOf(helm, u.place.name)
	if err != nil {
		return nil, err
	}
	u.takeOver = deployed != nil && annotation(deployed, objectsAnnotation) == ""
	if planned := u.change.After.GetAttr("objects"); planned.IsWhollyKnown() && u.change.After.GetAttr("apply").IsKnown() {
		u.method = attr(u.change.After, "apply")
		return textsOf(planned), nil
	}
	return u.foresee(helm, deployed)
}

// foresee does at the time of the change what a plan does where the API server is up.
func (u *upgrade) foresee(helm *action.Configuration, deployed *release.Release) (map[string]string, error) {
	config, err := helm.RESTClientGetter.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	last, err := lastOf(helm, u.place.name)
	if err != nil {
		return nil, err
	}
	revision := 1
	if last != nil {
		revision = last.Version + 1
	}
	ch, err := u.load()
	if err != nil {
		return nil, err
	}
	if err := settleDependencies(ch, u.known.release.Values); err != nil {
		return nil, err
	}
	around := newSurroundings(config)
	f, err := around.forecast(u.ctx, u.known, ch, deployed, revision)
	if err != nil {
		return nil, err
	}
	v, err := around.judge(u.ctx, u.known, f, deployed, nil) // its definitions are there
	if err != nil {
		return nil, err
	}
	if v.note != "" {
		u.progress("%s", v.note)
	}
	u.known.uses = usesOfAll(f.objects)
	u.method = v.method
	return f.fates.texts(objectStates(deployed), revision), v.err
}

// textsOf are the elements of a map of strings.
func textsOf(v cty.Value) map[string]string {
	texts := map[string]string{}
	v, _ = v.Unmark()
	if v.IsNull() {
		return texts
	}
	for it := v.ElementIterator(); it.Next(); {
		key, text := it.Element()
		texts[key.AsString()] = text.AsString()
	}
	return texts
}
