package deploy_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// rights are rules taken apart: one entry a verb, a resource and a name.
func rights(rules []rbacv1.PolicyRule) []string {
	found := map[string]bool{}
	for _, r := range rules {
		for _, url := range r.NonResourceURLs {
			for _, verb := range r.Verbs {
				found[url+" "+verb] = true
			}
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					names := r.ResourceNames
					if len(names) == 0 {
						names = []string{"*"}
					}
					for _, name := range names {
						found[strings.Join([]string{group, resource, name, verb}, " ")] = true
					}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func TestClusterWideInstallHasTheRulesOfTheSource(t *testing.T) {
	all := mustTemplate(t)
	for name, file := range map[string]string{
		"serin": "role.yaml", "serin-installs": "installs-role.yaml", "serin-configs": "configs-role.yaml", "serin-view": "view-role.yaml", "serin-edit": "edit-role.yaml",
		"serin-metrics": "metrics-role.yaml", "serin-metrics-reader": "metrics-reader-role.yaml",
	} {
		if diff := cmp.Diff(rights(role(t, file).Rules), rights(find[*rbacv1.ClusterRole](t, all, name).Rules)); diff != "" {
			t.Errorf("ClusterRole %s is not deploy/rbac/%s (-want +got):\n%s", name, file, diff)
		}
	}
	leader := find[*rbacv1.Role](t, all, "serin-leader-election")
	if leader.Namespace != namespace {
		t.Errorf("leader election in namespace %q", leader.Namespace)
	}
	for _, name := range []string{"serin", "serin-installs", "serin-configs", "serin-metrics"} {
		if b := find[*rbacv1.ClusterRoleBinding](t, all, name); b.RoleRef.Name != name || b.Subjects[0].Name != "serin" || b.Subjects[0].Namespace != namespace {
			t.Errorf("ClusterRoleBinding %s: %+v %+v", name, b.RoleRef, b.Subjects)
		}
	}
}

func TestNamespacedInstallHasRightsThereOnly(t *testing.T) {
	all := mustTemplate(t, "--set", "namespace=shop")
	if bindings := list[*rbacv1.ClusterRoleBinding](all); len(bindings) > 0 {
		t.Errorf("ClusterRoleBinding %s gives rights everywhere", bindings[0].Name)
	}
	for _, r := range list[*rbacv1.ClusterRole](all) {
		if r.Name != "serin-view" && r.Name != "serin-edit" { // for people, not for the operator
			t.Errorf("ClusterRole %s is for no namespace", r.Name)
		}
	}
	for name, file := range map[string]string{"serin": "role.yaml", "serin-installs": "installs-role.yaml", "serin-configs": "configs-role.yaml"} {
		got := find[*rbacv1.Role](t, all, name)
		if got.Namespace != "shop" {
			t.Errorf("Role %s is in namespace %q", name, got.Namespace)
		}
		if diff := cmp.Diff(rights(role(t, file).Rules), rights(got.Rules)); diff != "" {
			t.Errorf("Role %s (-want +got):\n%s", name, diff)
		}
		if b := find[*rbacv1.RoleBinding](t, all, name); b.Namespace != "shop" || b.RoleRef.Kind != "Role" || b.RoleRef.Name != name || b.Subjects[0].Namespace != namespace {
			t.Errorf("RoleBinding %s: %s %+v %+v", name, b.Namespace, b.RoleRef, b.Subjects)
		}
	}
}

// TestSecretsAreReadByNameOnly, but for namespaces in which they are to be tracked.
func TestSecretsAreReadByNameOnly(t *testing.T) {
	got := map[string][]string{}
	for _, o := range mustTemplate(t, everything...) {
		var rules []rbacv1.PolicyRule
		switch r := o.(type) {
		case *rbacv1.ClusterRole:
			rules = r.Rules
		case *rbacv1.Role:
			rules = r.Rules
		}
		for _, right := range rights(rules) {
			if strings.Contains(right, " secrets ") || strings.HasPrefix(right, "*") || strings.Contains(right, "* *") {
				got[o.GetNamespace()] = append(got[o.GetNamespace()], right)
			}
		}
	}
	want := map[string][]string{
		"shop": {" secrets c get"},
		"test": {" secrets a get", " secrets b get", " secrets d get"},
	}
	for ns := range want {
		want[ns] = append(want[ns], rights(role(t, "tracked-secrets-role.yaml").Rules)...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights on Secrets by namespace (-want +got):\n%s", diff)
	}
}

func TestNoRulesWithoutThem(t *testing.T) {
	args := append(slices.Clone(everything), "--set", "rbac.create=false,rbac.aggregate=false,serviceAccount.create=false,prometheus.install=false")
	for _, o := range mustTemplate(t, args...) {
		switch o.(type) {
		case *rbacv1.ClusterRole, *rbacv1.Role, *rbacv1.ClusterRoleBinding, *rbacv1.RoleBinding, *corev1.ServiceAccount:
			t.Errorf("%s %s", kindOf(o).Kind, o.GetName())
		}
	}
}

// TestNoConfigMapsWithoutTracking: who does not track grants nothing for it.
func TestNoConfigMapsWithoutTracking(t *testing.T) {
	for name, given := range granted(mustTemplate(t, append(slices.Clone(everything), "--set", "configTracking.enabled=false")...)) {
		for _, right := range given {
			if strings.Contains(right, " configmaps ") || strings.Contains(right, " secrets * ") {
				t.Errorf("%s: %s", name, right)
			}
		}
	}
}

// Editors of a namespace have no right on the status: it is the record that a rollout goes by.
func TestEditorsCannotWriteStatus(t *testing.T) {
	for _, right := range rights(role(t, "edit-role.yaml").Rules) {
		if strings.Contains(right, "/status") {
			t.Errorf("editors may %s", right)
		}
	}
}

func TestPrometheusReadsPodsOnly(t *testing.T) {
	want := []string{" pods * get", " pods * list", " pods * watch"}
	if got := rights(find[*rbacv1.ClusterRole](t, mustTemplate(t, "--set", "prometheus.install=true"), "serin-prometheus").Rules); !slices.Equal(got, want) {
		t.Errorf("Prometheus may %q", got)
	}
	all := mustTemplate(t, "--set", "prometheus.install=true,prometheus.namespaces={gloo-system,test,test}")
	var where []string
	for _, r := range list[*rbacv1.Role](all) {
		if r.Name == "serin-prometheus" {
			where = append(where, r.Namespace)
		}
	}
	if has(all, "ClusterRole", "serin-prometheus") || !slices.Equal(where, []string{"gloo-system", "test"}) {
		t.Errorf("Prometheus reads pods in %q", where)
	}
}
