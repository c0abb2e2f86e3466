package gloo

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
)

// delegation adds that no VirtualService leads to the table, and what Gloo says of those that do: one
// that is rejected takes all its routes with it.
func (f *findings) delegation(tb *table) {
	if len(f.parents) == 0 {
		f.add(router.Problem{
			Reason: "NotDelegated",
			Message: fmt.Sprintf("no VirtualService that Serin can see delegates to RouteTable %s, so no request reaches it: add a route with "+
				"delegateAction.ref {name: %s, namespace: %s}, or a selector that fits the table's labels, to your VirtualService",
				tb.key(), tb.Apex, tb.Canary.Namespace),
		})
	}
	for _, vs := range f.parents {
		for _, v := range verdicts(vs) {
			f.judge(vs, v)
		}
	}
}

// virtualServices that lead to a table: those that delegate to it, or where there is none, those that
// do so through other tables.
func (r *Router) virtualServices(ctx context.Context, table *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	all, err := r.listAll(ctx, api.VirtualService)
	if err != nil {
		return nil, err
	}
	if direct := parentsOf(table, all); len(direct) > 0 {
		return direct, nil
	}
	tables, err := r.listAll(ctx, api.RouteTable)
	if err != nil {
		return nil, err
	}
	seen := []*unstructured.Unstructured{table}
	var found []*unstructured.Unstructured
	for i := 0; i < len(seen); i++ {
		found = appendNew(found, parentsOf(seen[i], all)...)
		seen = appendNew(seen, parentsOf(seen[i], tables)...)
	}
	return found, nil
}

// listAll reads all objects of a kind without copying them: there can be thousands.
func (r *Router) listAll(ctx context.Context, kind schema.GroupVersionKind) ([]*unstructured.Unstructured, error) {
	list := api.NewList(kind)
	if err := r.client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list %ss: %w", kind.Kind, err)
	}
	found := make([]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		found[i] = &list.Items[i]
	}
	return found, nil
}

// appendNew appends the objects that are not in the list: tables may delegate in circles.
func appendNew(list []*unstructured.Unstructured, more ...*unstructured.Unstructured) []*unstructured.Unstructured {
	for _, u := range more {
		if !slices.ContainsFunc(list, func(known *unstructured.Unstructured) bool { return same(known, u) }) {
			list = append(list, u)
		}
	}
	return list
}

func same(a, b *unstructured.Unstructured) bool {
	return a.GetKind() == b.GetKind() && client.ObjectKeyFromObject(a) == client.ObjectKeyFromObject(b)
}

func parentsOf(table *unstructured.Unstructured, candidates []*unstructured.Unstructured) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, c := range candidates {
		if delegates(c, table) {
			found = append(found, c)
		}
	}
	return found
}

// delegates reports whether a VirtualService or RouteTable has a route that hands over to the table.
func delegates(parent, table *unstructured.Unstructured) bool {
	path := []string{"spec", "routes"}
	if parent.GetKind() == api.VirtualService.Kind {
		path = []string{"spec", "virtualHost", "routes"}
	}
	list, _, _ := unstructured.NestedFieldNoCopy(parent.Object, path...)
	routes, _ := list.([]any)
	for _, rt := range routes {
		r, _ := rt.(map[string]any)
		if action, ok := r["delegateAction"].(map[string]any); ok && selects(action, parent.GetNamespace(), table) {
			return true
		}
	}
	return false
}

// selects follows Gloo's order: the old name and namespace, then ref, then selector.
func selects(action map[string]any, parentNamespace string, table *unstructured.Unstructured) bool {
	self := api.ResourceRef{Name: table.GetName(), Namespace: table.GetNamespace()}
	if old := refOf(action, ""); old != (api.ResourceRef{}) {
		return old == self
	}
	if ref, ok := action["ref"].(map[string]any); ok {
		return refOf(ref, "") == self
	}
	selector, ok := action["selector"].(map[string]any)
	return ok && inNamespaces(selector, parentNamespace, self.Namespace) && fits(selector, table.GetLabels())
}

// inNamespaces follows Gloo: none named means the parent's own, * means all.
func inNamespaces(selector map[string]any, parentNamespace, namespace string) bool {
	list, _, _ := unstructured.NestedStringSlice(selector, "namespaces")
	if len(list) == 0 {
		return namespace == parentNamespace
	}
	return slices.Contains(list, namespace) || slices.Contains(list, "*")
}

// fits follows Gloo: labels or expressions, both together select nothing, neither selects all.
func fits(selector map[string]any, set map[string]string) bool {
	equal, _, _ := unstructured.NestedStringMap(selector, "labels")
	expressions, _ := selector["expressions"].([]any)
	if len(equal) > 0 {
		return len(expressions) == 0 && labels.SelectorFromSet(equal).Matches(labels.Set(set))
	}
	for _, e := range expressions {
		expression, _ := e.(map[string]any)
		if !fitsExpression(expression, set) {
			return false
		}
	}
	return true
}

// operators by Gloo's names, in the order of the numbers that may stand for them.
var operators = []struct {
	name string
	op   selection.Operator
}{
	{"Equals", selection.Equals},
	{"DoubleEquals", selection.DoubleEquals},
	{"NotEquals", selection.NotEquals},
	{"In", selection.In},
	{"NotIn", selection.NotIn},
	{"Exists", selection.Exists},
	{"DoesNotExist", selection.DoesNotExist},
	{"GreaterThan", selection.GreaterThan},
	{"LessThan", selection.LessThan},
}

func fitsExpression(expression map[string]any, set map[string]string) bool {
	key, _ := expression["key"].(string)
	values, _, _ := unstructured.NestedStringSlice(expression, "values")
	wanted := operators[0].name
	if given, ok := expression["operator"]; ok {
		wanted = fmt.Sprint(given)
	}
	for i, o := range operators {
		if wanted == o.name || wanted == fmt.Sprint(i) {
			requirement, err := labels.NewRequirement(key, o.op, values)
			return err == nil && requirement.Matches(labels.Set(set))
		}
	}
	return false
}
