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
	"github.com/serin-dev/serin/router/internal/object"
)

// Watches wakes a canary for its own table and Upstreams, for what its Upstreams follow, and for
// every VirtualService or table that leads to its table. A change of delegation is seen from both
// sides: a watch maps the object before and after an update.
func (r *Router) Watches() []router.Watch {
	return []router.Watch{
		{Object: api.New(api.RouteTable), Canaries: r.ofTable, Index: indexes},
		{Object: api.New(api.Upstream), Canaries: r.ofUpstream},
		{Object: api.New(api.VirtualService), Canaries: r.ofParent, Index: indexes},
	}
}

// ofTable maps a table of ours by its label, one that is not adopted yet by its name, and a user's
// table between a VirtualService and ours by what it leads to.
func (r *Router) ofTable(ctx context.Context, obj client.Object) []types.NamespacedName {
	found := object.Labelled(ctx, r.client, obj)
	if len(found) == 0 {
		found = object.OfApex(ctx, r.client, obj)
	}
	return merge(found, r.ofParent(ctx, obj))
}

// ofUpstream maps an Upstream of ours by its label and any other to the canaries that follow it.
func (r *Router) ofUpstream(ctx context.Context, obj client.Object) []types.NamespacedName {
	if found := object.Labelled(ctx, r.client, obj); len(found) > 0 {
		return found
	}
	return object.Canaries(ctx, r.client, func(*v1beta1.Canary) bool { return true },
		client.MatchingFields{router.IndexUpstream: client.ObjectKeyFromObject(obj).String()})
}

// ofParent maps a VirtualService or table to the canaries whose tables it leads to.
func (r *Router) ofParent(ctx context.Context, obj client.Object) []types.NamespacedName {
	parent, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	tables, err := r.below(ctx, parent)
	if err != nil {
		log.FromContext(ctx).Error(err, "map to canaries", "kind", parent.GetKind(), "object", client.ObjectKeyFromObject(obj))
	}
	var found []types.NamespacedName
	for _, table := range tables {
		found = merge(found, object.Labelled(ctx, r.client, table))
	}
	return found
}

func merge(a, b []types.NamespacedName) []types.NamespacedName {
	for _, n := range b {
		if !slices.Contains(a, n) {
			a = append(a, n)
		}
	}
	return a
}
