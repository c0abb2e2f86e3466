package gloo

import (
	"context"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

func keyOf(namespace, name string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: name}
}

// parent is a VirtualService or a table with one route that hands over.
func parent(kind, namespace, name, action string) string {
	routes := "routes: [{delegateAction: " + action + "}]"
	if kind == "VirtualService" {
		routes = "virtualHost: {domains: ['*'], " + routes + "}"
	}
	return "apiVersion: gateway.solo.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: " + namespace + "}\nspec: {" + routes + "}"
}

func TestDelegation(t *testing.T) {
	vs := func(namespace, action string) []string {
		return []string{parent("VirtualService", namespace, "vs", action)}
	}
	tests := map[string]struct {
		objects []string
		want    bool
	}{
		"nobody":                                 {want: false},
		"by name and namespace":                  {vs("gloo-system", "{ref: {name: podinfo, namespace: apps}}"), true},
		"by the old name and namespace":          {vs("gloo-system", "{name: podinfo, namespace: apps}"), true},
		"the old name wins over a ref":           {vs("gloo-system", "{name: other, namespace: apps, ref: {name: podinfo, namespace: apps}}"), false},
		"to the same name elsewhere":             {vs("gloo-system", "{ref: {name: podinfo, namespace: other}}"), false},
		"by labels in its own namespace":         {vs("apps", "{selector: {labels: {gateway: public}}}"), true},
		"by labels, from another namespace":      {vs("gloo-system", "{selector: {labels: {gateway: public}}}"), false},
		"by labels in a named namespace":         {vs("gloo-system", "{selector: {namespaces: [x, apps], labels: {gateway: public}}}"), true},
		"by labels in all namespaces":            {vs("gloo-system", "{selector: {namespaces: ['*'], labels: {gateway: public}}}"), true},
		"by labels that do not fit":              {vs("apps", "{selector: {labels: {gateway: private}}}"), false},
		"by our own label":                       {vs("apps", "{selector: {labels: {serin.dev/canary: podinfo}}}"), true},
		"by namespace alone":                     {vs("gloo-system", "{selector: {namespaces: [apps]}}"), true},
		"by labels and expressions: Gloo has it": {vs("apps", "{selector: {labels: {gateway: public}, expressions: [{key: gateway, operator: Exists}]}}"), false},
		"by an expression":                       {vs("apps", "{selector: {expressions: [{key: gateway, operator: In, values: [public, x]}]}}"), true},
		"by an expression with a number":         {vs("apps", "{selector: {expressions: [{key: gateway, operator: 3, values: [public]}]}}"), true},
		"by an expression that is left at zero":  {vs("apps", "{selector: {expressions: [{key: gateway, values: [public]}]}}"), true},
		"by one of two expressions":              {vs("apps", "{selector: {expressions: [{key: gateway, operator: Exists}, {key: gateway, operator: NotEquals, values: [public]}]}}"), false},
		"by an expression that is none":          {vs("apps", "{selector: {expressions: [{key: gateway, operator: Sometimes}]}}"), false},
		"neither ref nor selector":               {vs("apps", "{}"), false},
		"through another table": {[]string{
			parent("VirtualService", "gloo-system", "vs", "{ref: {name: team, namespace: apps}}"),
			parent("RouteTable", "apps", "team", "{ref: {name: podinfo, namespace: apps}}"),
		}, true},
		"a table that nobody delegates to": {[]string{parent("RouteTable", "apps", "team", "{ref: {name: podinfo, namespace: apps}}")}, false},
		"a circle of tables": {[]string{
			parent("RouteTable", "apps", "a", "{ref: {name: b, namespace: apps}}"),
			parent("RouteTable", "apps", "b", "{selector: {namespaces: ['*']}}"),
		}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, tc.objects...)
			w.target.Metadata.Labels = map[string]string{"gateway": "public"}
			w.ensure(t, 1)
			st := w.state(t)
			if delegated := !hasProblem(st, "NotDelegated", false); delegated != tc.want {
				t.Errorf("delegated: %t, want %t; %v", delegated, tc.want, st.Problems)
			}
			if !tc.want && !strings.Contains(st.Problems[0].Message, "delegateAction.ref {name: podinfo, namespace: apps}") {
				t.Errorf("the message does not say what to add: %s", st.Problems[0].Message)
			}
		})
	}
}

func TestWatches(t *testing.T) {
	long := strings.Repeat("long-", 20) + "name"
	newCanary := func(namespace, name, apex, upstreamNamespace string) *v1beta1.Canary {
		c := &v1beta1.Canary{}
		c.Namespace, c.Name = namespace, name
		c.Spec.TargetRef = v1beta1.LocalObjectReference{Kind: "Deployment", Name: name}
		c.Spec.Service.Name = apex
		c.Spec.UpstreamRef = &v1beta1.CrossNamespaceObjectReference{Kind: "Upstream", Name: "settings", Namespace: upstreamNamespace}
		return c
	}
	w := inMemory(t,
		"apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: podinfo, labels: {serin.dev/canary: podinfo}}\nspec: {}",
		"apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: shop, labels: {serin.dev/canary: shop}}\nspec: {}",
		parent("RouteTable", "apps", "team", "{ref: {name: podinfo, namespace: apps}}"),
	)
	for _, c := range []*v1beta1.Canary{
		newCanary("apps", "podinfo", "", "gloo-system"),
		newCanary("apps", "backend", "api", ""),
		newCanary("other", "podinfo", "", ""),
		newCanary("apps", long, "long", "x"),
	} {
		must(t, w.raw.Create(t.Context(), c))
	}
	tests := map[string]struct {
		object string
		want   []string
	}{
		"a table of ours": {
			"apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: shop, labels: {serin.dev/canary: shop}}", []string{"apps/shop"},
		},
		"a table of a canary with a long name": {
			"apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: y, labels: {serin.dev/canary: " + v1beta1.LabelValue(long) + "}}",
			[]string{"apps/" + v1beta1.LabelValue(long), "apps/" + long},
		},
		"a table that is not adopted yet": {
			"apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: api}", []string{"apps/backend"},
		},
		"a table of somebody": {"apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: x}", nil},
		"a table above ours":  {parent("RouteTable", "apps", "team", "{ref: {name: podinfo, namespace: apps}}"), []string{"apps/podinfo"}},
		"an Upstream of ours": {
			"apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: x, labels: {serin.dev/canary: shop}}", []string{"apps/shop"},
		},
		"an Upstream that is followed": {"apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: settings, namespace: gloo-system}", []string{"apps/podinfo"}},
		"an Upstream that is followed from its own namespace": {
			"apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: settings, namespace: apps}", []string{"apps/backend"},
		},
		"an Upstream of somebody": {"apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: x}", nil},
		"a VirtualService above ours": {
			parent("VirtualService", "gloo-system", "vs", "{ref: {name: shop, namespace: apps}}"), []string{"apps/shop"},
		},
		"a VirtualService two above ours": {
			parent("VirtualService", "gloo-system", "vs", "{ref: {name: team, namespace: apps}}"), []string{"apps/podinfo"},
		},
		"a VirtualService above all": {
			parent("VirtualService", "gloo-system", "vs", "{selector: {namespaces: ['*']}}"), []string{"apps/podinfo", "apps/shop"},
		},
		"a VirtualService of somebody": {parent("VirtualService", "gloo-system", "vs", "{ref: {name: x, namespace: apps}}"), nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			obj := parse(t, tc.object)
			var got []string
			for _, n := range mapping(t, w.Watches(), obj)(t.Context(), obj) {
				got = append(got, n.String())
			}
			slices.Sort(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("it wakes %v, want %v", got, tc.want)
			}
		})
	}
}

// mapping finds the watch of an object's kind.
func mapping(t *testing.T, watches []router.Watch, obj client.Object) func(context.Context, client.Object) []types.NamespacedName {
	t.Helper()
	for _, watch := range watches {
		if watch.Object.GetObjectKind().GroupVersionKind() == obj.GetObjectKind().GroupVersionKind() {
			return watch.Canaries
		}
	}
	t.Fatalf("%s is not watched", obj.GetObjectKind().GroupVersionKind())
	return nil
}
