package kube

import (
	"errors"
	"fmt"
	"regexp"
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
	case webhookDown(err), noDryRun(err):
		return nil, false
	case decided(err):
		return fmt.Errorf("%s: %s", title(c.wanted), refusalText(err, secret)), true
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return errors.New(unchangeable(c.wanted, err, secret)), false
	}
	return nil, false
}

// noDryRun reports whether an answer says that the object cannot be tried, because a webhook is in the way that might do something.
func noDryRun(err error) bool {
	return apierrors.IsMethodNotSupported(err) || strings.Contains(err.Error(), "does not support dry run")
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
		case strings.Contains(c.Message, "immutable"), strings.Contains(c.Message, "may not change"), strings.Contains(c.Message, "are forbidden"), strings.Contains(c.Message, "cannot change roleRef"):
			immutable = true
			fields = append(fields, c.Field)
		case secret:
			fields = append(fields, c.Field)
		default:
			fields = append(fields, c.Field+": "+c.Message)
		}
	}
	what := strings.Join(fields, ", ")
	switch {
	case what == "" && secret:
		what = "what is wrong is not shown, because it may hold what is secret"
	case what == "":
		what = plainly(err.Error())
	}
	if !immutable {
		return fmt.Sprintf("the API server does not take %s as the blueprint has it: %s", title(o), what)
	}
	return fmt.Sprintf("%s: what it has in %s cannot be changed while it lives. Put back what was there, or delete it with `%s` and apply: it is made anew", title(o), what, kubectl("delete", o))
}

func causesOf(err error) []metav1.StatusCause {
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil {
		return nil
	}
	return status.Status().Details.Causes
}

// typed is what server-side apply says of an object that does not fit its kind, before the fields.
var typed = regexp.MustCompile(`^(?:failed to create typed (?:patch|live) object|error decoding patch)[^)]*\)?: `)

// plainly says in other words what the API server says of a field.
func plainly(text string) string { return typed.ReplaceAllString(text, "") }
