package kube

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// refusal tells what a failed dry run means for the plan: why the object cannot be applied, and whether what the object comes after
// may change that. nil: nothing can be said, such as where a webhook that is in the way does not answer; the apply waits for it.
func (o *observer) refusal(c comparison, err error) (refuse error, deferred bool) {
	secret := hides(c.resource.Desired, c.wanted)
	switch {
	case webhookDown(err), noDryRun(err), waitsForAnother(err):
		return nil, false
	case decided(err):
		return fmt.Errorf("%s: %s", title(c.wanted), refusalText(err, secret)), true
	case wrong(err):
		return errors.New(unchangeable(c.wanted, err, secret)), false
	}
	return nil, false
}

// wrong reports whether an answer is about the object itself.
func wrong(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || misfits(err)
}

// noDryRun reports whether an answer says that the object cannot be tried, because a webhook is in the way that might do something.
func noDryRun(err error) bool {
	return apierrors.IsMethodNotSupported(err) || strings.Contains(err.Error(), "does not support dry run")
}

// waitsForAnother reports whether an answer says that something which the object names is not there yet, such as the service account of
// a Pod, which may come with the same block.
func waitsForAnother(err error) bool {
	text := err.Error()
	return apierrors.IsForbidden(err) && (strings.Contains(text, "error looking up service account") || strings.Contains(text, "no PriorityClass with name"))
}

// decided reports whether somebody in the cluster decided against the object: a policy, a webhook, a quota, rights. That may be
// otherwise when what the object comes after is there.
func decided(err error) bool {
	text := err.Error()
	return apierrors.IsForbidden(err) || strings.Contains(text, "admission webhook ") || strings.Contains(text, "ValidatingAdmissionPolicy ")
}

func refusalText(err error, secret bool) string {
	if secret {
		return "the API server does not take it (" + string(apierrors.ReasonForError(err)) + "); its answer is not shown, because it may hold what is secret"
	}
	return brief(err)
}

// unchangeable tells which fields the API server does not take, in one sentence and what to do.
func unchangeable(o *unstructured.Unstructured, err error, secret bool) string {
	var fields []string
	immutable := false
	for _, c := range causesOf(err) {
		switch {
		case fixed(c.Message):
			immutable = true
			fields = append(fields, c.Field)
		case secret:
			fields = append(fields, c.Field)
		default:
			fields = append(fields, c.Field+": "+c.Message)
		}
	}
	if misfits(err) {
		fields = misfitTexts(err, secret)
	}
	what := strings.Join(fields, ", ")
	switch {
	case what == "" && secret:
		what = "what is wrong is not shown, because it may hold what is secret"
	case what == "":
		what = brief(err)
	}
	if !immutable {
		return fmt.Sprintf("the API server does not take %s as the blueprint has it: %s", title(o), what)
	}
	return fmt.Sprintf("%s: what it has in %s cannot be changed while it lives. Put back what was there, or %s", title(o), what, madeAnew(o))
}

// fixed reports whether a message of the API server says that a field cannot be changed.
func fixed(message string) bool {
	for _, words := range []string{"immutable", "may not change", "are forbidden", "cannot change roleRef", "may not be changed"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// madeAnew says how an object is made anew, and what goes with it.
func madeAnew(o *unstructured.Unstructured) string {
	remove := kubectl("delete", o)
	switch kind := o.GroupVersionKind().GroupKind().String(); kind {
	case "StatefulSet.apps":
		return fmt.Sprintf("delete it without its pods with `%s --cascade=orphan` and apply: it is made anew and takes them over; its claims stay", remove)
	case "PersistentVolumeClaim":
		return fmt.Sprintf("copy its data to a claim of another name first: `%s` removes its volume and what is on it, unless the volume is retained", remove)
	case "Job.batch":
		return fmt.Sprintf("delete it with `%s` and apply: it is made anew, and runs again", remove)
	case "Service":
		return fmt.Sprintf("delete it with `%s` and apply: it is made anew; until then nobody reaches it, and its address may be another one", remove)
	case "RoleBinding.rbac.authorization.k8s.io", "ClusterRoleBinding.rbac.authorization.k8s.io":
		return fmt.Sprintf("delete it with `%s` and apply: it is made anew; until then its subjects lack these rights", remove)
	}
	return fmt.Sprintf("delete it with `%s` and apply: it is made anew", remove)
}

func causesOf(err error) []metav1.StatusCause {
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil {
		return nil
	}
	return status.Status().Details.Causes
}

// misfits reports whether an answer says that an object does not fit the schema of its kind. Server-side apply gives no reason for it.
func misfits(err error) bool { return strings.Contains(err.Error(), typedPrefix) }

const typedPrefix = "failed to create typed patch object"

var (
	typedPlace = regexp.MustCompile(`^\.([^:]*(?:\[[^\]]*\][^:\[]*)*): (.*)$`) // .spec.containers[name="main"].env: what is wrong
	typedKey   = regexp.MustCompile(`\[([^\]]*)\]`)
	typedGot   = regexp.MustCompile(`^expected (.*), got &?value\.valueUnstructured\{Value:(.*)\}$`)
)

// misfitTexts tell in plain words what does not fit, one text for each field.
func misfitTexts(err error, secret bool) []string {
	_, text, _ := strings.Cut(err.Error(), "): ")
	var found []string
	for line := range strings.Lines(strings.TrimPrefix(text, "errors:\n")) {
		line = strings.TrimSpace(line)
		m := typedPlace.FindStringSubmatch(line)
		switch {
		case line == "":
		case m == nil && secret:
			found = append(found, "what is wrong is not shown, because it may hold what is secret")
		case m == nil:
			found = append(found, line)
		default:
			found = append(found, plainPath(m[1])+" "+plainMisfit(m[2], secret))
		}
	}
	return found
}

// plainPath writes a path as plans do: containers["name=main"].
func plainPath(path string) string {
	return typedKey.ReplaceAllStringFunc(path, func(key string) string {
		if _, err := strconv.Atoi(key[1 : len(key)-1]); err == nil {
			return key
		}
		return `["` + strings.ReplaceAll(key[1:len(key)-1], `"`, "") + `"]`
	})
}

func plainMisfit(text string, secret bool) string {
	switch {
	case text == "field not declared in schema":
		return "is no such field of the kind: remove it, or correct its name"
	case strings.HasPrefix(text, "duplicate entries for key "):
		_, name, single := strings.Cut(strings.Trim(strings.TrimPrefix(text, "duplicate entries for key "), "[]"), "=")
		if !single || strings.Contains(name, ",") {
			name = strings.Trim(strings.TrimPrefix(text, "duplicate entries for key "), "[]")
		}
		return "has an element twice: " + strings.ReplaceAll(name, `"`, "") + " stands twice; keep one of them"
	}
	m := typedGot.FindStringSubmatch(text)
	switch {
	case m != nil && secret:
		return "is no " + m[1]
	case m != nil:
		return fmt.Sprintf("is %s, and has to be %s", m[2], article(m[1]))
	case secret:
		return "is wrong; how is not shown, because it may hold what is secret"
	}
	return ": " + text
}

func article(kind string) string {
	switch kind {
	case "string":
		return "a text: put it in quotes"
	case "numeric (int or float)":
		return "a number: write it without quotes"
	case "boolean":
		return "true or false: write it without quotes"
	}
	return "of the type " + kind
}
