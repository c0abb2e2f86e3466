// Package gatewayapi moves traffic with the Kubernetes Gateway API, whoever implements it: an HTTPRoute
// named after the apex Service shares requests by weight between the Services of the two sides.
//
// Such a route is either made from spec.service or was the user's before, in which case only the
// backends of those rules change that sent to the apex Service. Whatever else is on it stays: routes
// are read unstructured, changed in the few places that are ours, and sent as the difference.
//
// What a control plane says in status.parents is about itself. "Accepted" of the present generation
// means that it has computed a configuration, not that a proxy serves it; so a weight was rejected or
// is not known, and the observed share of requests has the last word.
package gatewayapi

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/router"
)

// Router implements router.Router. Its client must read unstructured objects from the cache too, or
// every reconciliation costs live reads.
type Router struct {
	client client.Client
	now    func() time.Time
}

var _ router.Router = (*Router)(nil)

// httpRoutes is the kind of the route.
var httpRoutes = schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: "HTTPRoute"}

// New is the router.Factory: it asks the API server for HTTPRoute once.
func New(c client.Client) (router.Router, error) {
	_, err := c.RESTMapper().RESTMapping(httpRoutes.GroupKind(), httpRoutes.Version)
	if meta.IsNoMatchError(err) {
		return nil, notInstalled()
	}
	if err != nil {
		return nil, fmt.Errorf("ask the API server for HTTPRoute: %w", err)
	}
	return &Router{client: c, now: time.Now}, nil
}

func notInstalled() error {
	return &router.NotReady{Problem: router.Problem{
		Reason: "GatewayApiNotInstalled", Unwatched: true,
		Message: "the cluster does not know HTTPRoute.v1.gateway.networking.k8s.io: install the CRDs of the Gateway API (v1.0 or later) " +
			"and an implementation of it, or set another spec.provider",
	}}
}

// Features of an HTTPRoute. What the implementation behind a route lacks is in its State.
func (r *Router) Features() router.Features { return fullFeatures() }
