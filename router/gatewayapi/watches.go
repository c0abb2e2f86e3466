package gatewayapi

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

// Watches wakes a canary for its route. Gateways are not read: what matters of them is in the route's
// status, and they are in namespaces that an operator need not be allowed to see.
func (r *Router) Watches() []router.Watch {
	return []router.Watch{{Object: object.New(httpRoutes), Canaries: r.ofRoute}}
}

// ofRoute maps a route of ours by its label, and one that is not adopted yet by its name.
func (r *Router) ofRoute(ctx context.Context, obj client.Object) []types.NamespacedName {
	if found := object.Labelled(ctx, r.client, obj); len(found) > 0 {
		return found
	}
	return object.OfApex(ctx, r.client, obj)
}
