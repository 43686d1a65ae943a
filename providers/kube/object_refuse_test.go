package kube_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/expertflow/cxha/schema/blueprint"
)

const deploymentText = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: tried}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "none:1"}]}
`

// What the API server would refuse to make is an error of the plan.
func TestIntegrationCreationsAreTried(t *testing.T) {
	s := newSite(t, "tried")
	namespace(t, s.api.client, "tried")
	namespace(t, s.api.client, "default")
	s.manifest("crd", strings.ReplaceAll(gadgets, "GROUP", "tried.example.org"))
	s.apply()
	made := func(text string) string {
		return "apiVersion: v1\nkind: Namespace\nmetadata: {name: fresh}\n---\n" + strings.ReplaceAll(text, "namespace: tried", "namespace: fresh")
	}
	in := func(old, new string) string { return strings.Replace(deploymentText, old, new, 1) }
	tests := map[string]struct {
		text string
		want []string // parts of the refusal; none: it is not refused
	}{
		"as it should be":             {text: deploymentText},
		"in a namespace of the plan":  {text: made(deploymentText)},
		"a field that is not there":   {in("spec:\n", "spec:\n  replica: 2\n"), []string{"Deployment tried/web", "spec.replica", "is no such field of the kind"}},
		"one in a fresh namespace":    {made(in("spec:\n", "spec:\n  replica: 2\n")), []string{"Deployment fresh/web", "spec.replica", "is no such field of the kind"}},
		"a name twice":                {in(`"none:1"`, `"none:1", env: [{name: A, value: "1"}, {name: A, value: "2"}]`), []string{`spec.template.spec.containers["name=main"].env`, "A stands twice"}},
		"a value that is not allowed": {in("spec:\n", "spec:\n  replicas: -1\n"), []string{"Deployment tried/web", "spec.replicas", "must be greater than or equal to 0"}},
		"a pod and its service account": {text: "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: own, namespace: tried}\n---\napiVersion: v1\nkind: Pod\n" +
			"metadata: {name: p, namespace: tried}\nspec: {serviceAccountName: own, containers: [{name: main, image: a}]}\n"},
		"a namespace that nobody makes": {
			strings.ReplaceAll(deploymentText, "tried", "nowhere"), []string{"Deployment nowhere/web: nobody makes the namespace nowhere"},
		},
		"a field that a definition does not have": {
			strings.ReplaceAll("apiVersion: GROUP/v1\nkind: Gadget\nmetadata: {name: one, namespace: tried}\nspec: {size: 3, sise: 4}\n", "GROUP", "tried.example.org"), []string{"Gadget tried/one", "spec.sise"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s.manifest("m", test.text)
			s.plan()
			if len(test.want) == 0 {
				for addr, err := range s.refused {
					t.Errorf("%s is refused: %v", addr, err)
				}
				return
			}
			if len(s.refused) != 1 {
				t.Fatalf("refused: %v, want one", s.refused)
			}
			for addr, err := range s.refused {
				for _, part := range test.want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: %v\nwant in it: %s", addr, err, part)
					}
				}
			}
		})
	}
}

// A release brings its namespace.
func TestIntegrationNamespaceOfARelease(t *testing.T) {
	s := newSite(t, "released")
	s.bp.Releases = []blueprint.Release{{Common: blueprint.Common{Namespace: "brought"}}}
	s.manifest("m", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: brought}\n")
	if got := s.plan().actions(); got != `create manifest.m/kube.object["ConfigMap/brought/x"]` || len(s.refused) > 0 {
		t.Errorf("%s, refused %v", got, s.refused)
	}
}

const denyPolicy = `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"name":"deny"},"spec":{"failurePolicy":"Fail",
"matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["DELETE"],"resources":["configmaps"]}],
"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"denied"}}},"validations":[{"expression":"false","message":"nothing leaves this namespace"}]}}`

const denyBinding = `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicyBinding","metadata":{"name":"deny"},
"spec":{"policyName":"deny","validationActions":["Deny"]}}`

// A removal that is denied fails with the server's words.
func TestIntegrationRemovalThatIsDenied(t *testing.T) {
	s := newSite(t, "denied")
	namespace(t, s.api.client, "denied")
	s.manifest("m", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: denied}\n")
	s.apply()
	admission := s.api.client.AdmissionregistrationV1()
	for _, err := range []error{
		ignore(admission.ValidatingAdmissionPolicies().Patch(t.Context(), "deny", types.ApplyPatchType, []byte(denyPolicy), metav1.PatchOptions{FieldManager: "test"})),
		ignore(admission.ValidatingAdmissionPolicyBindings().Patch(t.Context(), "deny", types.ApplyPatchType, []byte(denyBinding), metav1.PatchOptions{FieldManager: "test"})),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the policy denies", func() bool {
		return s.api.client.CoreV1().ConfigMaps("denied").Delete(t.Context(), "x", metav1.DeleteOptions{DryRun: []string{"All"}}) != nil
	})
	s.remove("m")
	_, err := apply(t, s.p, s.s, s.plan()[`manifest.m/kube.object["ConfigMap/denied/x"]`])
	if err == nil || !strings.Contains(err.Error(), "ConfigMap denied/x: the API server does not remove it") || !strings.Contains(err.Error(), "nothing leaves this namespace") {
		t.Errorf("error %v, want the server's words", err)
	}
	for _, err := range []error{
		admission.ValidatingAdmissionPolicyBindings().Delete(t.Context(), "deny", metav1.DeleteOptions{}),
		admission.ValidatingAdmissionPolicies().Delete(t.Context(), "deny", metav1.DeleteOptions{}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the policy is gone", func() bool {
		return s.api.client.CoreV1().ConfigMaps("denied").Delete(t.Context(), "x", metav1.DeleteOptions{DryRun: []string{"All"}}) == nil
	})
	s.apply()
}

func ignore[T any](_ T, err error) error { return err }

// What cannot be changed in place tells the command that helps, and what goes with it.
func TestIntegrationImmutableFieldsTellTheWay(t *testing.T) {
	s := newSite(t, "fixedly")
	playWorkloads(t, s.api.client)
	namespace(t, s.api.client, "fixedly")
	const pod = "{metadata: {labels: {app: x}}, spec: {restartPolicy: POLICY, containers: [{name: main, image: \"none:1\"}]}}"
	always, never := strings.Replace(pod, "POLICY", "Always", 1), strings.Replace(pod, "POLICY", "Never", 1)
	tests := map[string]struct{ text, old, new, field, command string }{
		"RoleBinding": {
			"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x, namespace: fixedly}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\n" +
				"subjects: [{kind: ServiceAccount, name: a, namespace: fixedly}]\n",
			"name: view", "name: edit", "roleRef", "kubectl delete rolebinding.rbac.authorization.k8s.io x -n fixedly` and apply",
		},
		"StatefulSet": {
			"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: x, namespace: fixedly}\nspec: {serviceName: a, selector: {matchLabels: {app: x}}, template: " + always + "}\n",
			"serviceName: a", "serviceName: b", "spec", "kubectl delete statefulset.apps x -n fixedly --cascade=orphan",
		},
		"Job": {
			"apiVersion: batch/v1\nkind: Job\nmetadata: {name: x, namespace: fixedly}\nspec: {suspend: true, backoffLimit: 1, template: " + never + "}\n",
			"none:1", "none:2", "spec.template", "kubectl delete job.batch x -n fixedly` and apply: it is made anew, and runs again",
		},
		"Service": {
			"apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: fixedly}\nspec: {ports: [{port: 80}]}\n",
			"ports:", "clusterIP: None, ports:", "spec.clusterIPs[0]", "kubectl delete service x -n fixedly",
		},
		"ConfigMap": {
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: fixedly}\nimmutable: true\ndata: {a: b}\n", "a: b", "a: c", "data", "kubectl delete configmap x -n fixedly",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s.manifest("m", test.text)
			s.apply()
			s.manifest("m", strings.Replace(test.text, test.old, test.new, 1))
			s.plan()
			if len(s.refused) != 1 {
				t.Fatalf("refused %v, want the change", s.refused)
			}
			for _, err := range s.refused {
				if !strings.Contains(err.Error(), "what it has in "+test.field) || !strings.Contains(err.Error(), test.command) {
					t.Errorf("%v\nwant in it %s and %s", err, test.field, test.command)
				}
			}
			s.remove("m")
			s.apply()
		})
	}
}

// A strategy without steps needs no settings for them: the apply takes away those that the API server had filled in.
func TestIntegrationStrategyRecreate(t *testing.T) {
	s := newSite(t, "recreate")
	playDeployments(t, s.api.client)
	namespace(t, s.api.client, "recreate")
	text := strings.ReplaceAll(deploymentText, "tried", "recreate")
	s.manifest("m", text)
	s.apply()
	s.manifest("m", strings.Replace(text, "spec:\n", "spec:\n  strategy: {type: Recreate}\n", 1))
	want := `content.spec.strategy.rollingUpdate: cty.ObjectVal(map[string]cty.Value{"maxSurge":cty.StringVal("25%"), "maxUnavailable":cty.StringVal("25%")}) -> null` +
		"\ncontent.spec.strategy.type: RollingUpdate -> Recreate"
	if got := drift(s.plan()[`manifest.m/kube.object["Deployment.apps/recreate/web"]`]); got != want {
		t.Errorf("plan %s\nwant %s", got, want)
	}
	s.apply()
	s.manifest("m", text)
	s.apply()
}
