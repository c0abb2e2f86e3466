// Package manifests holds what runs the gateway in a cluster: the namespace
// gloo-system, the control plane gloo, and gateway-proxy, which is Envoy.
package manifests

import "embed"

// FS holds the manifests; their names sort in the order in which they have to
// be applied. The CRDs of package crds come before all of them.
//
//go:embed *.yaml
var FS embed.FS
