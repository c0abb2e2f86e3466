// Package gatewayapi holds what runs implementations of the Gateway API in a cluster, each with a Gateway
// named public that takes routes of every namespace. The CRDs come before them: Traefik waits long for
// those that are missing when it starts.
package gatewayapi

import _ "embed"

// Traefik runs in the namespace traefik: one program is control plane and proxy.
//
//go:embed traefik.yaml
var Traefik string

// Contour runs in the namespace projectcontour, with Envoy as its proxy.
//
//go:embed contour.yaml
var Contour string
