package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/pkg/apitest"
)

// someone is a user who may do the verbs on a resource in a namespace; in all of them when it is empty.
func someone(t *testing.T, cfg *rest.Config, c client.Client, resource, namespace string, verbs ...string) *rest.Config {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{resource}, Verbs: verbs}}
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}}
	objects := []client.Object{
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + resource}, Rules: rules},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + resource}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name + "-" + resource}},
	}
	if namespace != "" {
		objects = []client.Object{
			&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Rules: rules},
			&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Subjects: subjects,
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}},
		}
	}
	for _, o := range objects {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	as := rest.CopyConfig(cfg)
	as.Impersonate.UserName = name
	return as
}

// TestSecretsAreTrackedWhereAllRightsAreGiven: a watch without the right would keep the operator from
// starting at all.
func TestSecretsAreTrackedWhereAllRightsAreGiven(t *testing.T) {
	cfg := apitest.Start(t)
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	given, half, none := apitest.Namespace(t, c), apitest.Namespace(t, c), apitest.Namespace(t, c)
	someone(t, cfg, c, "configmaps", "", trackingVerbs...)
	someone(t, cfg, c, "secrets", half, "get")
	as := someone(t, cfg, c, "secrets", given, trackingVerbs...)
	o := options{configTracking: true, secretNamespaces: []string{given, half, none}}
	if err := o.rights(t.Context(), as); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{given}, o.secretNamespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
}

func TestMissingRightsOnConfigMapsAreExplained(t *testing.T) {
	cfg := apitest.Start(t)
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	as := someone(t, cfg, c, "configmaps", "", "get", "list", "watch")
	err = (&options{configTracking: true}).rights(t.Context(), as)
	if want := "the operator may not create ConfigMaps: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := (&options{secretNamespaces: []string{"shop"}}).rights(t.Context(), as); err != nil {
		t.Errorf("without tracking: %v", err)
	}
}
