package suite

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// gateway is what a scene's users come through.
type gateway struct {
	// provider and service are lines of the Canary: its router, and what that must know of the route.
	provider, service string
	// samples are applied before the Canary.
	samples []string
	// namespace and name are those of the proxy's Service.
	namespace, name string
	// routes are the kind that the weights stand in.
	routes schema.GroupVersionKind
	// destinations are where a route sends to; each names a side and has a weight.
	destinations func(route *unstructured.Unstructured) ([]any, error)
	side         func(destination map[string]any) string
}

var gloo = gateway{
	provider: "gloo", service: "{port: 9898, targetPort: 9898}",
	samples:   []string{"gloo-virtualservice.yaml"},
	namespace: "gloo-system", name: "gateway-proxy",
	routes: schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "RouteTableList"},
	destinations: func(table *unstructured.Unstructured) ([]any, error) {
		return ofLast(table, "routes", "routeAction", "multi", "destinations")
	},
	side: func(d map[string]any) string {
		name, _, _ := unstructured.NestedString(d, "destination", "upstream", "name")
		return name
	},
}

// traefik implements the Gateway API.
var traefik = gateway{
	provider: "gatewayapi:v1", service: "{port: 9898, targetPort: 9898, hosts: [HOST], gatewayRefs: [{name: public, namespace: traefik}]}",
	namespace: "traefik", name: "traefik",
	routes: schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRouteList"},
	destinations: func(route *unstructured.Unstructured) ([]any, error) {
		return ofLast(route, "rules", "backendRefs")
	},
	side: func(d map[string]any) string {
		name, _, _ := unstructured.NestedString(d, "name")
		return name
	},
}

// ofLast reads a list of the last rule, which is the one with the weights: others stand before it.
func ofLast(route *unstructured.Unstructured, rules string, path ...string) ([]any, error) {
	all, _, err := unstructured.NestedSlice(route.Object, "spec", rules)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	list, _, err := unstructured.NestedSlice(all[len(all)-1].(map[string]any), path...)
	return list, err
}

// weight is the canary's in a route, if it is known there.
func (g gateway) weight(route *unstructured.Unstructured) (canary int64, known bool, err error) {
	destinations, err := g.destinations(route)
	for _, d := range destinations {
		if m := d.(map[string]any); strings.Contains(g.side(m), "-canary") {
			canary, _, err = unstructured.NestedInt64(m, "weight")
			return canary, true, err
		}
	}
	return 0, false, err
}
