package suite

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// gateway is what a scene's users come through.
type gateway struct {
	// namespace and name are those of the proxy's Service.
	namespace, name string
	// reaction is more than it needs from a route to its proxy.
	reaction time.Duration
	// withoutGRPC has no users of gRPC.
	withoutGRPC bool
	// samples are applied before the Canary.
	samples []string
	// provider is the Canary's, and route what its spec.service says besides of the route; HOST stands
	// for the scene's host.
	provider, route string
	// routes are the kind that the weights stand in. Its rules have destinations, each with the name of
	// a side and a weight.
	routes                    schema.GroupVersionKind
	rules                     string
	destinations, destination []string
}

var gloo = gateway{
	namespace: "gloo-system", name: "gateway-proxy", reaction: 2 * time.Second, samples: []string{"gloo-virtualservice.yaml"}, provider: "gloo",
	routes: schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "RouteTableList"}, rules: "routes",
	destinations: []string{"routeAction", "multi", "destinations"}, destination: []string{"destination", "upstream", "name"},
}

// traefik and contour implement the Gateway API. Traefik gathers what changes for two seconds.
var (
	traefik = httpRoutes("traefik", "traefik", 4*time.Second)
	contour = httpRoutes("projectcontour", "envoy", 2*time.Second)
)

func httpRoutes(namespace, name string, reaction time.Duration) gateway {
	return gateway{
		namespace: namespace, name: name, reaction: reaction, provider: "gatewayapi:v1",
		route:  "    hosts: [HOST]\n    gatewayRefs: [{name: public, namespace: " + namespace + "}]\n",
		routes: schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRouteList"}, rules: "rules",
		destinations: []string{"backendRefs"}, destination: []string{"name"},
	}
}

// at makes a Canary that is written for Gloo one for this gateway.
func (g gateway) at(manifest, host string) string {
	return strings.NewReplacer(
		"  provider: gloo\n", "  provider: "+g.provider+"\n",
		"  service:\n", "  service:\n"+strings.ReplaceAll(g.route, "HOST", host),
	).Replace(manifest)
}

// shares are the canary's, in tenths of a percent, on each rule that shares by weight; others are what
// rules of an analysis need.
func (g gateway) shares(route *unstructured.Unstructured) ([]int64, error) {
	rules, _, err := unstructured.NestedSlice(route.Object, "spec", g.rules)
	if err != nil {
		return nil, err
	}
	var found []int64
	for _, r := range rules {
		destinations, _, err := unstructured.NestedSlice(r.(map[string]any), g.destinations...)
		if err != nil {
			return nil, err
		}
		if len(destinations) != 2 {
			continue
		}
		var total, canary int64
		for _, d := range destinations {
			w, _, _ := unstructured.NestedInt64(d.(map[string]any), "weight")
			total += w
			if name, _, _ := unstructured.NestedString(d.(map[string]any), g.destination...); strings.Contains(name, "-canary") {
				canary = w
			}
		}
		found = append(found, 1000*canary/max(total, 1))
	}
	return found, nil
}
