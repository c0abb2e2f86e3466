package deploy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func build(t testing.TB, dir string) objects {
	t.Helper()
	out, err := run(kustomize(t), "build", dir)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, out)
}

// asKustomized are the values that give what the kustomize base has: it cannot leave out what is not
// configured, so it has the Secret for Slack as one that need not exist, and trusts the load tester
// of deploy/loadtester in the samples' namespace.
var asKustomized = []string{"--set", "slack.existingSecret=serin-slack,trustedLoadtesters={http://loadtester.test/}"}

func TestKustomizeRunsTheOperatorAsTheChartDoes(t *testing.T) {
	want, _ := operator(t, mustTemplate(t, asKustomized...))
	got, _ := operator(t, build(t, "kustomize"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pod (-chart +kustomize):\n%s", diff)
	}
}

func TestKustomizeGivesTheRightsThatTheChartGives(t *testing.T) {
	want, got := granted(mustTemplate(t, asKustomized...)), granted(build(t, "kustomize"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights by role (-chart +kustomize):\n%s", diff)
	}
}

// granted are the rights of each role, and the bindings with whom they bind.
func granted(all objects) map[string][]string {
	found := map[string][]string{}
	subjects := func(ref rbacv1.RoleRef, subjects []rbacv1.Subject) []string {
		names := []string{ref.Kind + " " + ref.Name}
		for _, s := range subjects {
			names = append(names, s.Kind+" "+s.Namespace+"/"+s.Name)
		}
		return names
	}
	for _, o := range all {
		key := kindOf(o).Kind + " " + o.GetNamespace() + "/" + o.GetName()
		switch r := o.(type) {
		case *rbacv1.ClusterRole:
			found[key] = rights(r.Rules)
		case *rbacv1.Role:
			found[key] = rights(r.Rules)
		case *rbacv1.ClusterRoleBinding:
			found[key] = subjects(r.RoleRef, r.Subjects)
		case *rbacv1.RoleBinding:
			found[key] = subjects(r.RoleRef, r.Subjects)
		}
	}
	return found
}

func TestKustomizeBaseIsWhole(t *testing.T) {
	all := build(t, "kustomize")
	if ns := find[*corev1.Namespace](t, all, namespace); ns.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Errorf("labels of the namespace: %v", ns.Labels)
	}
	crds := list[*apiextensionsv1.CustomResourceDefinition](all)
	if want := len(list[*apiextensionsv1.CustomResourceDefinition](mustTemplate(t))); len(crds) != want {
		t.Errorf("%d CRDs, the chart has %d", len(crds), want)
	}
	for _, o := range all {
		if o.GetNamespace() != "" && o.GetNamespace() != namespace {
			t.Errorf("%s %s is in namespace %s", kindOf(o).Kind, o.GetName(), o.GetNamespace())
		}
	}
}
