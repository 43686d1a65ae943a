package helm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	helmkube "helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
)

// trials is how many objects are tried at the same time.
const trials = 8

// trial sends objects of a release to the API server as an apply would, to be refused or not: nothing is stored.
type trial struct {
	place   place
	client  *helmkube.Client
	before  map[string]object  // what the release has now, by id
	standIn bool               // the release's namespace is not there yet: another one has to do
	defined map[groupKind]bool // kinds whose definitions the plan changes: what they will take is not known
}

// refusals are what the API server would say to objects of a release.
type refusals []refusal

type refusal struct {
	object object
	err    error
}

func (rs refusals) Error() string {
	const most = 5
	var lines []string
	for i, r := range rs {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %d more", len(rs)-most))
			break
		}
		if misfit := kube.Misfit(r.object.Object); misfit != nil { // the server quotes the whole object instead
			lines = append(lines, r.object.title()+": "+misfit.Error())
			continue
		}
		lines = append(lines, r.object.title()+": "+words(r.err)+wayOut(r.object, r.err))
	}
	return strings.Join(lines, "\n  ")
}

// words are the API server's own in an error that Helm has wrapped.
func words(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Message != "" {
		return status.Status().Message
	}
	return err.Error()
}

// wayOut is what helps where a field cannot be changed.
func wayOut(o object, err error) string {
	text := words(err)
	if !strings.Contains(text, "immutable") && !strings.Contains(text, "cannot change roleRef") && !strings.Contains(text, "updates to statefulset spec") &&
		!strings.Contains(text, "may not change once set") {
		return ""
	}
	in := ""
	if o.namespace != "" {
		in = " --namespace " + o.namespace
	}
	kind, more := strings.ToLower(o.groupKind().String()), ""
	if o.GetKind() == "StatefulSet" {
		more = " --cascade=orphan" // its pods and claims stay
	}
	return fmt.Sprintf("\n    it has to be made anew: kubectl delete%s %s %s%s", in, kind, o.GetName(), more)
}

// dryRun adds to every request that would change something that it shall not.
type dryRun struct{ next http.RoundTripper }

func (d dryRun) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return d.next.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	q := r.URL.Query()
	q.Set("dryRun", "All")
	r.URL.RawQuery = q.Encode()
	return d.next.RoundTrip(r)
}

// newTrial returns a trial of a release's objects.
func (s *surroundings) newTrial(ctx context.Context, at place, before map[string]object, defined map[groupKind]bool) (*trial, error) {
	config := rest.CopyConfig(s.config)
	config.WarningHandler, config.WarningHandlerWithContext = nil, rest.NoWarnings{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return dryRun{next} })
	there, err := s.hasNamespace(ctx, at.namespace)
	if err != nil {
		return nil, err
	}
	own := *s.access
	own.config, own.namespace = config, at.namespace
	client := helmkube.New(&own)
	client.Namespace = at.namespace
	return &trial{place: at, client: client, before: before, standIn: !there, defined: defined}, nil
}

// hasNamespace reports whether a namespace is there. It is asked once.
func (s *surroundings) hasNamespace(ctx context.Context, name string) (bool, error) {
	s.mu.Lock()
	ask, ok := s.namespaces[name]
	if !ok {
		ask = sync.OnceValues(func() (bool, error) {
			clients, err := kubernetes.NewForConfig(s.config)
			if err != nil {
				return false, err
			}
			_, err = clients.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return false, nil
			}
			return err == nil, err
		})
		s.namespaces[name] = ask
	}
	s.mu.Unlock()
	return ask()
}

// run tries objects by one of the ways to apply. Objects of kinds that are not there yet are left out. An error that is no refusal means that
// it is not known.
func (t *trial) run(ctx context.Context, method string, objects []object) (refusals, error) {
	errs := make([]error, len(objects))
	var g errgroup.Group
	g.SetLimit(trials)
	for i, o := range objects {
		g.Go(func() error {
			errs[i] = t.one(method, o)
			return context.Cause(ctx)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var rs refusals
	for i, err := range errs {
		switch {
		case err == nil:
		case passing(err):
			return nil, err
		default:
			rs = append(rs, refusal{objects[i], err})
		}
	}
	return rs, nil
}

func (t *trial) one(method string, o object) error {
	if t.defined[o.groupKind()] {
		return nil
	}
	after, err := t.build(o)
	if err != nil || len(after) == 0 {
		return err
	}
	var before helmkube.ResourceList
	if was, ok := t.before[o.id()]; ok {
		if before, err = t.build(was); err != nil {
			return err
		}
	} else if err := t.free(after); err != nil {
		return err
	}
	_, err = t.client.Update(before, after, applyOptions(method)...)
	return err
}

// build returns an object as Helm's client has it; nothing where its kind is not there yet, or its namespace.
func (t *trial) build(o object) (helmkube.ResourceList, error) {
	list, err := t.client.Build(strings.NewReader(o.text), false)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var own helmkube.ResourceList
	for _, info := range list {
		if info.Name != o.GetName() || info.Mapping.GroupVersionKind.GroupKind() != o.groupKind() {
			continue // of the same list
		}
		strip(info.Object)
		if t.standIn && info.Namespace == t.place.namespace {
			info.Namespace = corev1.NamespaceDefault
			if u, ok := info.Object.(*unstructured.Unstructured); ok {
				u.SetNamespace(corev1.NamespaceDefault)
			}
		}
		own = append(own, info)
	}
	return own, nil
}

// free refuses an object that somebody else made.
func (t *trial) free(list helmkube.ResourceList) error {
	if t.standIn {
		return nil
	}
	for _, info := range list {
		live, err := fetch(info)
		if err != nil || live == nil {
			return err
		}
		marks := live.GetAnnotations()
		if marks["meta.helm.sh/release-name"] != t.place.name || marks["meta.helm.sh/release-namespace"] != t.place.namespace {
			return errTaken
		}
	}
	return nil
}

// errTaken means that an object of a new release is there.
var errTaken = errors.New("it is there already, and another release or tool made it: remove it there, or let the release make one of another name")

// applyOptions are those of Helm's client for a way to apply.
func applyOptions(method string) []helmkube.ClientUpdateOption {
	server := method == schema.ApplyServer
	return []helmkube.ClientUpdateOption{
		helmkube.ClientUpdateOptionServerSideApply(server, server),
		helmkube.ClientUpdateOptionThreeWayMergeForUnstructured(!server), // edits by hand are mended in all kinds alike
	}
}

// verdict is which way to apply takes the objects of a release.
type verdict struct {
	method string
	err    error  // why none does
	note   string // what is to be known about it
}

// choose finds the way to apply: the one that is asked for; else what the release was made with, or of a new one the server's, unless that
// refuses what the client's takes. An error means that it is not known.
func (t *trial) choose(ctx context.Context, asked, made string, objects []object) (verdict, error) {
	method := asked
	if method != schema.ApplyServer && method != schema.ApplyClient {
		if method = made; method == "" {
			method = schema.ApplyServer
		}
	}
	rs, err := t.run(ctx, method, objects)
	if err != nil || len(rs) == 0 {
		return verdict{method: method}, err
	}
	if method == schema.ApplyClient {
		return verdict{method: method, err: rs}, nil
	}
	var refused []object
	for _, r := range rs {
		refused = append(refused, r.object)
	}
	other, err := t.run(ctx, schema.ApplyClient, refused)
	switch {
	case err != nil:
		return verdict{}, err
	case len(other) > 0:
		return verdict{method: method, err: other}, nil // what neither takes is what has to be mended
	case made == "" && asked != schema.ApplyServer:
		return verdict{method: schema.ApplyClient, note: fmt.Sprintf("release %s is applied by the client, as Helm 3 does, because the API server's own apply would refuse it:\n  %s\nit stays with that until its block says apply = %q",
			t.place, rs.Error(), schema.ApplyServer)}, nil
	}
	return verdict{method: method, err: fmt.Errorf("%w\nHelm's older way takes it: say apply = %q in its block", rs, schema.ApplyClient)}, nil
}

// passing reports whether an error is one that passes: the API server is on its way, or a webhook is.
func passing(err error) bool {
	return kube.Passing(err) || strings.Contains(err.Error(), webhookDown)
}

// webhookDown begins what the API server says of a webhook that does not answer.
const webhookDown = "failed calling webhook"
