package gloo

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
)

// Watches wakes a canary for its own table and Upstreams, for what its Upstreams follow, and for
// every VirtualService or table that leads to its table. A change of delegation is seen from both
// sides: a watch maps the object before and after an update.
func (r *Router) Watches() []router.Watch {
	return []router.Watch{
		{Object: api.New(api.RouteTable), Canaries: r.ofTable},
		{Object: api.New(api.Upstream), Canaries: r.ofUpstream},
		{Object: api.New(api.VirtualService), Canaries: r.ofParent},
	}
}

// ofTable maps a table of ours by its label, one that is not adopted yet by its name, and a user's
// table between a VirtualService and ours by what it leads to.
func (r *Router) ofTable(ctx context.Context, obj client.Object) []types.NamespacedName {
	found := r.labelled(ctx, obj)
	if len(found) == 0 {
		found = r.canaries(ctx, func(c *v1beta1.Canary) bool {
			return c.Namespace == obj.GetNamespace() && c.ApexName() == obj.GetName()
		})
	}
	return merge(found, r.ofParent(ctx, obj))
}

// ofUpstream maps an Upstream of ours by its label and any other to the canaries that follow it.
func (r *Router) ofUpstream(ctx context.Context, obj client.Object) []types.NamespacedName {
	if found := r.labelled(ctx, obj); len(found) > 0 {
		return found
	}
	return r.canaries(ctx, func(c *v1beta1.Canary) bool {
		n := names{router.Target{Canary: client.ObjectKeyFromObject(c), Upstream: c.Spec.UpstreamRef}}
		return n.Upstream != nil && n.sourceKey() == client.ObjectKeyFromObject(obj)
	})
}

// ofParent maps a VirtualService or table to the canaries whose tables it leads to.
func (r *Router) ofParent(ctx context.Context, obj client.Object) []types.NamespacedName {
	parent, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	tables, err := r.listAll(ctx, api.RouteTable)
	if err != nil {
		log.FromContext(ctx).Error(err, "map to canaries", "kind", parent.GetKind(), "object", client.ObjectKeyFromObject(obj))
		return nil
	}
	var found []types.NamespacedName
	for _, table := range below(parent, tables) {
		found = merge(found, r.labelled(ctx, table))
	}
	return found
}

// below are the tables that an object delegates to, directly or through others.
func below(parent *unstructured.Unstructured, tables []*unstructured.Unstructured) []*unstructured.Unstructured {
	reached := []*unstructured.Unstructured{parent}
	for i := 0; i < len(reached); i++ {
		for _, t := range tables {
			if delegates(reached[i], t) {
				reached = appendNew(reached, t)
			}
		}
	}
	return reached[1:]
}

func (r *Router) canaries(ctx context.Context, concerned func(*v1beta1.Canary) bool) []types.NamespacedName {
	var list v1beta1.CanaryList
	if err := r.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list canaries")
		return nil
	}
	var found []types.NamespacedName
	for i := range list.Items {
		if concerned(&list.Items[i]) {
			found = append(found, client.ObjectKeyFromObject(&list.Items[i]))
		}
	}
	return found
}

// orphan is true of an object whose label names a Canary that does not exist any more.
func (r *Router) orphan(ctx context.Context, obj client.Object) bool {
	owner := obj.GetLabels()[v1beta1.CanaryLabel]
	return owner != "" && len(r.canaries(ctx, func(c *v1beta1.Canary) bool {
		return c.Namespace == obj.GetNamespace() && v1beta1.LabelValue(c.Name) == owner
	})) == 0
}

// labelled is the canary that an object's label names. A long name has been cut in the label, with a
// tail of a dash and ten digits: it is looked up.
func (r *Router) labelled(ctx context.Context, obj client.Object) []types.NamespacedName {
	label := obj.GetLabels()[v1beta1.CanaryLabel]
	if label == "" {
		return nil
	}
	found := []types.NamespacedName{{Namespace: obj.GetNamespace(), Name: label}}
	const tail = 11
	if len(label) <= tail || label[len(label)-tail] != '-' {
		return found
	}
	return merge(found, r.canaries(ctx, func(c *v1beta1.Canary) bool {
		return c.Namespace == obj.GetNamespace() && v1beta1.LabelValue(c.Name) == label
	}))
}

func merge(a, b []types.NamespacedName) []types.NamespacedName {
	for _, n := range b {
		if !slices.Contains(a, n) {
			a = append(a, n)
		}
	}
	return a
}
