package gloo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	direct, err := r.parents(ctx, api.VirtualService, table)
	if len(direct) > 0 || err != nil {
		return direct, err
	}
	seen := []*unstructured.Unstructured{table}
	var found []*unstructured.Unstructured
	for i := 0; i < len(seen); i++ {
		services, err := r.parents(ctx, api.VirtualService, seen[i])
		if err != nil {
			return nil, err
		}
		tables, err := r.parents(ctx, api.RouteTable, seen[i])
		if err != nil {
			return nil, err
		}
		found, seen = appendNew(found, services...), appendNew(seen, tables...)
	}
	return found, nil
}

// parents are the objects of a kind that delegate to a table.
func (r *Router) parents(ctx context.Context, kind schema.GroupVersionKind, table *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var found []*unstructured.Unstructured
	for _, key := range []string{leadKey(table.GetNamespace(), table.GetName()), leadKey(table.GetNamespace(), anyName), leadKey(anyName, anyName)} {
		candidates, err := r.list(ctx, kind, client.MatchingFields{indexLeads: key})
		if err != nil {
			return nil, err
		}
		found = appendNew(found, slices.DeleteFunc(candidates, func(c *unstructured.Unstructured) bool { return !delegates(c, table) })...)
	}
	return found, nil
}

// below are the tables that an object delegates to, directly or through others.
func (r *Router) below(ctx context.Context, parent *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	reached := []*unstructured.Unstructured{parent}
	var unread error
	for i := 0; i < len(reached); i++ {
		for _, key := range leads(reached[i]) {
			tables, err := r.tablesOf(ctx, key)
			if err != nil { // it may be in a namespace that this operator does not watch
				unread = errors.Join(unread, err)
				continue
			}
			reached = appendNew(reached, slices.DeleteFunc(tables, func(t *unstructured.Unstructured) bool { return !delegates(reached[i], t) })...)
		}
	}
	return reached[1:], unread
}

// tablesOf are those that a key of indexLeads may mean.
func (r *Router) tablesOf(ctx context.Context, key string) ([]*unstructured.Unstructured, error) {
	namespace, name, _ := strings.Cut(key, "/")
	switch {
	case namespace == anyName:
		return r.list(ctx, api.RouteTable)
	case name == anyName:
		return r.list(ctx, api.RouteTable, client.InNamespace(namespace))
	}
	table := api.New(api.RouteTable)
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, table); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return []*unstructured.Unstructured{table}, nil
}

// list reads objects of a kind.
func (r *Router) list(ctx context.Context, kind schema.GroupVersionKind, opts ...client.ListOption) ([]*unstructured.Unstructured, error) {
	list := api.NewList(kind)
	if err := r.client.List(ctx, list, opts...); err != nil {
		return nil, fmt.Errorf("list %ss: %w", kind.Kind, err)
	}
	found := make([]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		found[i] = &list.Items[i]
	}
	return found, nil
}

// indexLeads is the field by which VirtualServices and tables are found that may lead to a table.
const indexLeads = "serin.leads"

var indexes = map[string]client.IndexerFunc{indexLeads: func(o client.Object) []string {
	u, _ := o.(*unstructured.Unstructured)
	return leads(u)
}}

// anyName stands for all that a selector may find in a namespace, and for all namespaces.
const anyName = "*"

func leadKey(namespace, name string) string { return namespace + "/" + name }

// leads are the keys of all that a VirtualService or table delegates to.
func leads(parent *unstructured.Unstructured) []string {
	var keys []string
	for _, action := range delegations(parent) {
		for _, key := range leadsOf(action, parent.GetNamespace()) {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// leadsOf follows the same order as selects.
func leadsOf(action map[string]any, parentNamespace string) []string {
	if ref, ok := referred(action); ok {
		return []string{leadKey(ref.Namespace, ref.Name)}
	}
	selector, ok := action["selector"].(map[string]any)
	if !ok {
		return nil
	}
	var keys []string
	for _, n := range namespacesOf(selector, parentNamespace) {
		keys = append(keys, leadKey(n, anyName))
	}
	return keys
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

// delegates reports whether a VirtualService or RouteTable has a route that hands over to the table.
func delegates(parent, table *unstructured.Unstructured) bool {
	return slices.ContainsFunc(delegations(parent), func(action map[string]any) bool { return selects(action, parent.GetNamespace(), table) })
}

// delegations are the actions of a VirtualService's or RouteTable's routes that hand over.
func delegations(parent *unstructured.Unstructured) []map[string]any {
	path := []string{"spec", "routes"}
	if parent.GetKind() == api.VirtualService.Kind {
		path = []string{"spec", "virtualHost", "routes"}
	}
	list, _, _ := unstructured.NestedFieldNoCopy(parent.Object, path...)
	routes, _ := list.([]any)
	var found []map[string]any
	for _, rt := range routes {
		r, _ := rt.(map[string]any)
		if action, ok := r["delegateAction"].(map[string]any); ok {
			found = append(found, action)
		}
	}
	return found
}

// selects follows Gloo's order: the old name and namespace, then ref, then selector.
func selects(action map[string]any, parentNamespace string, table *unstructured.Unstructured) bool {
	self := api.ResourceRef{Name: table.GetName(), Namespace: table.GetNamespace()}
	if ref, ok := referred(action); ok {
		return ref == self
	}
	selector, ok := action["selector"].(map[string]any)
	if !ok {
		return false
	}
	namespaces := namespacesOf(selector, parentNamespace)
	return (slices.Contains(namespaces, self.Namespace) || slices.Contains(namespaces, anyName)) && fits(selector, table.GetLabels())
}

// referred is the table that an action names.
func referred(action map[string]any) (api.ResourceRef, bool) {
	if old := refOf(action, ""); old != (api.ResourceRef{}) {
		return old, true
	}
	ref, ok := action["ref"].(map[string]any)
	return refOf(ref, ""), ok
}

// namespacesOf follows Gloo: none named means the parent's own, * means all.
func namespacesOf(selector map[string]any, parentNamespace string) []string {
	list, _, _ := unstructured.NestedStringSlice(selector, "namespaces")
	if len(list) == 0 {
		return []string{parentNamespace}
	}
	return list
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
