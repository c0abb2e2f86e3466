package gatewayapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-dev/serin/router"
)

// implementation is what is known of a controller of HTTPRoutes beside the core of the API.
type implementation struct {
	// mirror copies requests, share a share of them; affinity heeds filters on single backends.
	mirror, share, affinity bool
	// lacks are fields of spec.service that it passes over, or answers with errors: Traefik serves 500
	// for each rule with a filter that it does not know, and its status says nothing of it.
	lacks []string
	// telemetry names its series; nil where they cannot tell the two sides apart, or nobody has looked.
	telemetry func(names) router.Telemetry
}

// implementations by the names that they give themselves in status. Traefik 3.7 and Contour 1.33 were
// tried and read; the others are as their conformance reports for Gateway API 1.5 and 1.6 say.
var implementations = map[string]implementation{
	"traefik.io/gateway-controller": {
		affinity: true, telemetry: traefik,
		lacks: []string{"timeout", "backendTimeout", "corsPolicy", "mirror"},
	},
	// Contour copies all requests, whatever share is asked for.
	"projectcontour.io/gateway-controller":          {mirror: true, affinity: true, telemetry: contour, lacks: []string{"corsPolicy"}},
	"gateway.envoyproxy.io/gatewayclass-controller": {mirror: true, share: true, affinity: true},
	"gateway.nginx.org/nginx-gateway-controller":    {mirror: true, share: true, lacks: []string{"timeout", "backendTimeout"}},
	"io.cilium/gateway-controller":                  {mirror: true, share: true, affinity: true},
	"istio.io/gateway-controller":                   {mirror: true, share: true, affinity: true},
	"kgateway.dev/kgateway":                         {mirror: true, share: true, affinity: true},
}

// controllers that serve the route.
func (rt *route) controllers() []string {
	var found []string
	for _, p := range rt.said {
		if name := string(p.ControllerName); !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

// features of the route: what all of its controllers are known to do. One that is not known is not
// trusted with more than the core: a filter that it does not support may cost users their answers.
// Before the first has said anything, nothing is served yet.
func (rt *route) features() router.Features {
	f := fullFeatures()
	for _, name := range rt.controllers() {
		i := implementations[name]
		f.Mirror, f.MirrorShare, f.Affinity = f.Mirror && i.mirror, f.MirrorShare && i.share, f.Affinity && i.affinity
	}
	return f
}

func fullFeatures() router.Features {
	return router.Features{Weights: true, Tenths: true, Headers: true, QueryParams: true, Methods: true,
		Mirror: true, MirrorShare: true, Affinity: true, ServiceFields: serviceFields}
}

// refuse returns a *NotReady error that says what the route's own proxy cannot do with the traffic.
func (rt *route) refuse(tr router.Traffic) error {
	if err := fullFeatures().Refuse(tr); err != nil {
		return err
	}
	err := rt.features().Refuse(tr)
	if nr, ok := errors.AsType[*router.NotReady](err); ok {
		nr.Problem.Message = fmt.Sprintf("HTTPRoute %s is served by %s: %s", rt.key(), strings.Join(rt.controllers(), ", "), nr.Problem.Message)
	}
	return err
}

// lacking are the fields of spec.service that are set and that a controller of the route lacks.
func (rt *route) lacking() []string {
	var found []string
	for _, name := range rt.controllers() {
		for _, field := range implementations[name].lacks {
			if rt.asks(field) && !slices.Contains(found, field) {
				found = append(found, field)
			}
		}
	}
	return found
}

// heeds reports whether a field of spec.service may go on the route. A filter that may cost users their
// answers waits for the controller's first word.
func (rt *route) heeds(field string) bool {
	if (field == "corsPolicy" || field == "mirror") && len(rt.controllers()) == 0 {
		return false
	}
	return !slices.Contains(rt.lacking(), field)
}

// asks reports whether spec.service sets a field of serviceFields.
func (n names) asks(field string) bool {
	s := n.Service
	return map[string]bool{
		"gatewayRefs": len(s.GatewayRefs) > 0, "hosts": len(s.Hosts) > 0, "match": len(s.Match) > 0,
		"timeout": s.Timeout != "", "backendTimeout": s.BackendTimeout != "", "headers": s.Headers != nil,
		"rewrite": s.Rewrite != nil, "corsPolicy": s.CorsPolicy != nil, "mirror": len(s.Mirror) > 0,
	}[field]
}
