// Package gloo moves traffic with Gloo: a RouteTable named after the apex Service shares requests by
// weight between two Upstreams, one for each side. The user's VirtualService delegates to the table.
// Rules are further routes before the one with the weights, and options of that one.
//
// Everything else on a table is the user's. Tables are therefore read unstructured, changed in the
// few places that are ours, and sent as the difference to what was read, with its resourceVersion as
// precondition. Gloo writes its verdict into status without a status subresource, so status is never
// sent. It names no generation, so its silence proves nothing: a weight was rejected or is not known.
package gloo

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
)

// Router implements router.Router. Its client must read unstructured objects from the cache too, or
// every reconciliation costs live reads.
type Router struct {
	client client.Client
	now    func() time.Time
}

var _ router.Router = (*Router)(nil)

// New is the router.Factory: it asks the API server for Gloo's kinds once.
func New(c client.Client) (router.Router, error) {
	var missing []string
	for _, kind := range []schema.GroupVersionKind{api.RouteTable, api.VirtualService, api.Upstream} {
		_, err := c.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
		if meta.IsNoMatchError(err) {
			missing = append(missing, named(kind))
		} else if err != nil {
			return nil, fmt.Errorf("ask the API server for %s: %w", kind.Kind, err)
		}
	}
	if len(missing) > 0 {
		return nil, notInstalled(missing)
	}
	return &Router{client: c, now: time.Now}, nil
}

// Features of Gloo: all but matches by the labels of who asks.
func (r *Router) Features() router.Features {
	return router.Features{Weights: true, Tenths: true, Headers: true, QueryParams: true, Methods: true,
		Mirror: true, MirrorShare: true, Affinity: true, Upstream: true}
}

func named(kind schema.GroupVersionKind) string {
	return kind.Kind + "." + kind.Version + "." + kind.Group
}

func notInstalled(missing []string) error {
	return &router.NotReady{Problem: router.Problem{
		Reason: "GlooNotInstalled", Unwatched: true,
		Message: fmt.Sprintf("the cluster does not know %s: install Gloo Gateway with its CRDs "+
			"(helm install gloo gloo/gloo --namespace gloo-system --create-namespace), or set another spec.provider",
			strings.Join(missing, ", ")),
	}}
}
