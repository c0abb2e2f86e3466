package gatewayapi

import (
	"github.com/serin-dev/serin/router"
)

// implementation is what is known of a controller of HTTPRoutes.
type implementation struct {
	telemetry func(names) router.Telemetry
}

// implementations by the names that they give themselves in status.
var implementations = map[string]implementation{
	"traefik.io/gateway-controller":        {telemetry: traefik},
	"projectcontour.io/gateway-controller": {telemetry: contour},
}

// implementations that serve the route.
func (rt *route) implementations() []implementation {
	var found []implementation
	_, said := attached(rt.live)
	for _, p := range said {
		found = append(found, implementations[string(p.ControllerName)])
	}
	return found
}
