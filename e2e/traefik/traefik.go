// Package traefik holds what runs Traefik in a cluster, as an implementation of the Gateway API, with
// one Gateway that takes routes of every namespace. The CRDs come before it: Traefik waits long for
// those that are missing when it starts.
package traefik

import _ "embed"

// Manifest runs it in the namespace traefik.
//
//go:embed traefik.yaml
var Manifest string
